/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that are the same in each run: for trying many inputs. */

#include <stdint.h>

static uint64_t seed = 88172645463325252u;

/* below - one of 0 to n-1 */
static inline unsigned below(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed % n);
}
