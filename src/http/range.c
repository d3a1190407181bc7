/* SPDX-License-Identifier: Apache-2.0 */
/*
 * range: parses Content-Range, and Range for the metrics.
 *
 * Owns nothing and allocates nothing. nginx, not berth, answers a GET of a blob with Range.
 */
#include "http/range.h"

#include <string.h>
#include <strings.h>

#include "base/str.h"

/* Parses the digits at *s, and moves *s behind them. */
static int parse_u64(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");
	int rc = str_parse_u64(*s, n, out);

	*s += n;
	return rc;
}

static void skip_blanks(const char **s)
{
	*s += strspn(*s, " \t");
}

/* Skips "bytes " or "bytes=". */
static void skip_unit(const char **s)
{
	static const char unit[] = "bytes";
	const char *p = *s;

	skip_blanks(&p);
	*s = p;
	if (strncasecmp(p, unit, strlen(unit)) != 0)
		return;
	p += strlen(unit);
	if (!*p || !strchr("= \t", *p))
		return;
	skip_blanks(&p);
	p += *p == '=';
	skip_blanks(&p);
	*s = p;
}

/* Reads the total behind a slash, a number or "*"; both may be absent. */
static int parse_total(const char **s, uint64_t last)
{
	uint64_t total;

	skip_blanks(s);
	if (**s != '/')
		return 0;
	++*s;
	skip_blanks(s);
	if (**s == '*')
		++*s;
	else if (parse_u64(s, &total) < 0 || total <= last)
		return -1;
	skip_blanks(s);
	return 0;
}

int content_range_parse(const char *s, uint64_t *first, uint64_t *last)
{
	uint64_t a, b;

	*first = *last = 0;
	skip_unit(&s);
	if (parse_u64(&s, &a) < 0)
		return -1;
	skip_blanks(&s);
	if (*s++ != '-')
		return -1;
	skip_blanks(&s);
	if (parse_u64(&s, &b) < 0 || a > b || b == UINT64_MAX || parse_total(&s, b) < 0 || *s)
		return -1;
	*first = a;
	*last = b;
	return 0;
}

uint64_t range_bytes(const char *range, uint64_t size)
{
	static const char unit[] = "bytes=";
	uint64_t a, b = UINT64_MAX;

	if (strncasecmp(range, unit, strlen(unit)) != 0)
		return size;
	range += strlen(unit);
	if (*range == '-') {
		range++;
		return parse_u64(&range, &a) < 0 || *range || a > size ? size : a;
	}
	if (parse_u64(&range, &a) < 0 || *range++ != '-' || (*range && parse_u64(&range, &b) < 0) || *range || b < a)
		return size;
	if (a >= size)
		return 0;
	return (b < size ? b + 1 : size) - a;
}
