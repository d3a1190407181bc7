/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_sizes: the bytes of repositories, as text.
 *
 * Owns the form of the file.
 */
#include "registry/reg_sizes.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "store/store_path.h"

#define HEAD "berth-sizes 1 "
#define END "end\n"
#define FILE_MAX (256u << 20)   /* a million repositories with long names */

void reg_sizes_begin(struct str *out, int64_t when)
{
	str_addf(out, HEAD "%" PRId64 "\n", when);
}

void reg_sizes_add(struct str *out, const struct name *n, uint64_t own, uint64_t shared)
{
	str_addf(out, "%s %" PRIu64 " %" PRIu64 "\n", n->s, own, shared);
}

void reg_sizes_end(struct str *out)
{
	str_puts(out, END);
}

void reg_sizes_release(struct sizes *s)
{
	str_release(&s->text);
}

int reg_sizes_read(struct store *st, struct sizes *s, struct err *e)
{
	size_t head = sizeof(HEAD) - 1, end = sizeof(END) - 1, digits;
	uint64_t when;
	int found = store_read(st, STORE_SIZES_FILE, FILE_MAX, &s->text);

	if (found <= 0)
		return found == 0 || errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", STORE_SIZES_FILE);
	if (s->text.len < head + 2 + end || memcmp(s->text.buf, HEAD, head) != 0 || strcmp(s->text.buf + s->text.len - end, END) != 0)
		return 0;
	digits = strcspn(s->text.buf + head, "\n");
	if (str_parse_u64(s->text.buf + head, digits, &when) < 0 || when > INT64_MAX)
		return 0;
	s->when = (int64_t)when;
	s->first = head + digits + 1;
	str_cut(&s->text, s->text.len - end);
	return 1;
}

/* Two numbers with a blank between them. */
static bool numbers(const char *p, const char *eol, uint64_t *own, uint64_t *shared)
{
	const char *blank = memchr(p, ' ', (size_t)(eol - p));

	return blank && str_parse_u64(p, (size_t)(blank - p), own) == 0 && str_parse_u64(blank + 1, (size_t)(eol - blank - 1), shared) == 0;
}

bool reg_sizes_find(const struct sizes *s, const struct name *n, uint64_t *own, uint64_t *shared)
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
