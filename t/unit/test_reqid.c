/* SPDX-License-Identifier: Apache-2.0 */
/* reqid: ids are 32 hex digits, and no two are the same, also where the kernel is asked for more random bytes. */

#include "http/reqid.h"

#include <string.h>

#include "tap.h"

#define IDS 200

int main(void)
{
	static char ids[IDS][REQID_LEN + 1];
	static const char digits[] = "0123456789abcdef";
	size_t i, j, same = 0, odd = 0, seen[16] = { 0 }, rare = 0;

	for (i = 0; i < IDS; i++) {
		reqid_make(ids[i]);
		odd += strlen(ids[i]) != REQID_LEN || strspn(ids[i], digits) != REQID_LEN;
		for (j = 0; j < i; j++)
			same += strcmp(ids[i], ids[j]) == 0;
		for (j = 0; j < REQID_LEN; j++)
			seen[(size_t)(strchr(digits, ids[i][j]) - digits) & 15]++;
	}
	is_int(odd, 0, "each id is 32 hex digits");
	is_int(same, 0, "no two are the same");
	for (i = 0; i < 16; i++)
		rare += seen[i] < IDS * REQID_LEN / 32;
	is_int(rare, 0, "no digit is rare");
	return done_testing();
}
