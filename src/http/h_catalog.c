/* SPDX-License-Identifier: Apache-2.0 */
/* h_catalog: /v2/_catalog, the list of repositories. */
#include <string.h>

#include "http/guard.h"
#include "http/handlers.h"
#include "http/page.h"
#include "registry/reg_catalog.h"

#define CATALOG_PAGE 100
#define CATALOG_MAX 1000

int h_catalog_get(struct exchange *x, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_page struct page p = PAGE_INIT;
	cleanup_repo_filter struct repo_filter of = REPO_FILTER_INIT;
	size_t max = x->reg->cfg->catalog_max ? x->reg->cfg->catalog_max : CATALOG_MAX;
	const char *last;
	bool more;

	if (page_read(&p, x, max < CATALOG_PAGE ? max : CATALOG_PAGE, max, e) < 0 ||
	    reg_catalog_page(x->reg, p.has_last ? p.last.buf : NULL, p.n, guard_may_list(x, &of), &names, &more, e) < 0)
		return -1;
	response_json(&x->rs, 200);
	last = names.count ? names.v[names.count - 1] : NULL;
	if (more && last)
		page_link(&p, x, "/v2/_catalog", last, strlen(last));
	str_puts(&x->rs.body, "{\"repositories\":");
	page_names(&x->rs.body, &names);
	str_puts(&x->rs.body, "}\n");
	return 0;
}
