/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range: Content-Range.
 *
 * Owns nothing and allocates nothing. Ranges of blobs on GET are nginx's, not ours.
 */
#include "http/range.h"

#include <string.h>

#include "base/str.h"

/* The digits at *s as a number; *s moves behind them. */
static int take_u64(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");
	int rc = str_parse_u64(*s, n, out);

	*s += n;
	return rc;
}

int content_range_parse(const char *s, uint64_t *first, uint64_t *last)
{
	uint64_t a, b;

	*first = *last = 0;
	if (take_u64(&s, &a) < 0 || *s++ != '-' || take_u64(&s, &b) < 0 || *s || a > b || b == UINT64_MAX)
		return -1;
	*first = a;
	*last = b;
	return 0;
}
