/* SPDX-License-Identifier: Apache-2.0 */
/* h_tags: /v2/<name>/tags/list, the tags of a repository. */
#include <string.h>

#include "http/handlers.h"
#include "http/mirror.h"
#include "http/page.h"
#include "registry/reg_tag.h"

#define TAGS_MAX 10000          /* also the default of n */

/* Link to the page after the last of these tags. */
static void link_next(struct exchange *x, const struct page *p, const struct str *tags)
{
	cleanup_str struct str path = STR_INIT;
	size_t end = tags->len - 1, start = end;

	while (start > 0 && tags->buf[start - 1] != '\n')
		start--;
	str_addf(&path, "/v2/%s/tags/list", x->name.s);
	page_link(p, x, path.buf, tags->buf + start, end - start);
}

/* As a JSON array of strings. */
static void add_tags(struct str *out, const struct str *tags)
{
	const char *s = tags->buf, *end = s + tags->len, *next;

	str_addc(out, '[');
	for (; s < end; s = next + 1) {
		next = memchr(s, '\n', (size_t)(end - s));
		str_puts(out, s > tags->buf ? ",\"" : "\"");
		str_add_json(out, s, (size_t)(next - s));
		str_addc(out, '"');
	}
	str_addc(out, ']');
}

int h_tags_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str tags = STR_INIT;
	cleanup_page struct page p = PAGE_INIT;
	bool more, none;
	int here = x->upstream ? mirror_list(x, "tags", e) : 1;

	if (here <= 0)
		return here;
	if (page_read(&p, x, TAGS_MAX, TAGS_MAX, e) < 0)
		return -1;
	if (reg_tag_page(x->reg, &x->name, p.has_last ? p.last.buf : NULL, p.n, &tags, &more, &none, e) < 0) {
		if (e->code == ERR_NAME_UNKNOWN)
			mirror_list_here(x, false, e);
		return -1;
	}
	if (mirror_list_here(x, true, e) < 0)
		return -1;
	response_json(&x->rs, 200);
	if (more && tags.len)
		link_next(x, &p, &tags);
	str_addf(&x->rs.body, "{\"name\":\"%s\",\"tags\":", x->name.s);
	if (none)
		str_puts(&x->rs.body, "null");  /* as registry:2 answers for a repository without tags */
	else
		add_tags(&x->rs.body, &tags);
	str_puts(&x->rs.body, "}\n");
	return 0;
}
