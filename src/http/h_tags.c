/* SPDX-License-Identifier: Apache-2.0 */
/* h_tags: /v2/<name>/tags/list, the tags of a repository. */
#include "http/handlers.h"
#include "http/page.h"
#include "registry/reg_tag.h"

#define TAGS_MAX 10000          /* also the default of n */

int h_tags_get(struct exchange *x, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	cleanup_page struct page p = PAGE_INIT;
	bool more, none;

	if (page_read(&p, x, TAGS_MAX, TAGS_MAX, e) < 0 ||
	    reg_tag_page(x->reg, &x->name, p.has_last ? p.last.buf : NULL, p.n, &tags, &more, &none, e) < 0)
		return -1;
	response_json(&x->rs, 200);
	if (more) {
		str_addf(&path, "/v2/%s/tags/list", x->name.s);
		page_link(&p, x, path.buf, &tags);
	}
	str_addf(&x->rs.body, "{\"name\":\"%s\",\"tags\":", x->name.s);
	if (none)
		str_puts(&x->rs.body, "null");  /* as registry:2 answers for a repository without tags */
	else
		page_names(&x->rs.body, &tags);
	str_puts(&x->rs.body, "}\n");
	return 0;
}
