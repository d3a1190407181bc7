/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_sizes: the bytes of repositories, as text.
 *
 * Owns the form of the file.
 */
#include "registry/reg_sizes.h"

#include <inttypes.h>
#include <string.h>

#include "store/store_path.h"

#define HEAD "berth-sizes 1 "
#define FILE_MAX (256u << 20)   /* a million repositories with long names */

void reg_sizes_begin(struct str *out, int64_t when)
{
	dated_begin(out, HEAD, when);
}

void reg_sizes_add(struct str *out, const struct name *n, uint64_t own, uint64_t shared)
{
	str_addf(out, "%s %" PRIu64 " %" PRIu64 "\n", n->s, own, shared);
}

int reg_sizes_read(struct store *st, struct dated *s, struct err *e)
{
	return dated_read(st, STORE_SIZES_FILE, HEAD, FILE_MAX, s, e);
}

/* Two numbers with a blank between them. */
static bool numbers(const char *p, const char *eol, uint64_t *own, uint64_t *shared)
{
	const char *blank = memchr(p, ' ', (size_t)(eol - p));

	return blank && str_parse_u64(p, (size_t)(blank - p), own) == 0 && str_parse_u64(blank + 1, (size_t)(eol - blank - 1), shared) == 0;
}

bool reg_sizes_find(const struct dated *s, const struct name *n, uint64_t *own, uint64_t *shared)
{
	const char *lo = s->text.buf + s->first, *hi = s->text.buf + s->text.len;

	if (!s->first)
		return false;
	while (lo < hi) {
		const char *p = lo + (hi - lo) / 2, *eol, *blank;
		size_t len;
		int c;

		while (p > lo && p[-1] != '\n')
			p--;
		eol = memchr(p, '\n', (size_t)(hi - p));
		blank = eol ? memchr(p, ' ', (size_t)(eol - p)) : NULL;
		if (!blank)
			return false;
		len = (size_t)(blank - p);
		c = memcmp(p, n->s, len < n->len ? len : n->len);
		if (c == 0 && len == n->len)
			return numbers(blank + 1, eol, own, shared);
		if (c < 0 || (c == 0 && len < n->len))
			lo = eol + 1;
		else
			hi = p;
	}
	return false;
}
