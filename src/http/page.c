/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page: reads the query of a listing, and writes its Link.
 *
 * Owns the decoded `last`.
 */
#include "http/page.h"

#include <string.h>

void page_release(struct page *p)
{
	str_release(&p->last);
}

static int read_n(struct page *p, const struct exchange *x, size_t max, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t n;
	int found = request_query(&x->rq, "n", &text);

	if (found == 0 || (found == 1 && text.len == 0))
		return 0;
	if (found < 0 || str_parse_u64(text.buf, text.len, &n) < 0)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "%.64s", text.buf);
	p->n = n < max ? (size_t)n : max;
	return 0;
}

int page_read(struct page *p, const struct exchange *x, size_t otherwise, size_t max, struct err *e)
{
	int found;
	size_t i;

	p->n = otherwise;
	if (read_n(p, x, max, e) < 0)
		return -1;
	found = request_query(&x->rq, "last", &p->last);
	for (i = 0; found == 1 && i < p->last.len; i++)
		if ((unsigned char)p->last.buf[i] < 0x20 || p->last.buf[i] == 0x7f)
			found = -1;
	if (found < 0)
		return err_set(e, ERR_NAME_INVALID, "last");
	p->has_last = found == 1 && p->last.len > 0;
	return 0;
}

void page_link(const struct page *p, struct exchange *x, const char *path, const char *name, size_t len)
{
	cleanup_str struct str last = STR_INIT;

	str_add_urlenc(&last, name, len);
	response_header(&x->rs, "Link", "<%s%s?last=%s&n=%zu>; rel=\"next\"", x->reg->cfg->prefix, path, last.buf, p->n);
}

void page_names(struct str *out, const struct names *names)
{
	size_t i;

	str_addc(out, '[');
	for (i = 0; i < names->count; i++) {
		str_puts(out, i ? ",\"" : "\"");
		str_add_json(out, names->v[i], strlen(names->v[i]));
		str_addc(out, '"');
	}
	str_addc(out, ']');
}
