/* SPDX-License-Identifier: Apache-2.0 */
/* api_search: /berth/v1/search (doc/PAGE.md, "Searching"). */
#include "http/api.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "registry/reg_search.h"

int api_search_get(struct exchange *x, struct err *e)
{
	cleanup_repo_filter struct repo_filter of = REPO_FILTER_INIT;
	cleanup_str struct str q = STR_INIT;
	int found = api_parameter(x, "q", &q, e);

	if (found < 0)
		return -1;
	if (!found || q.len > SEARCH_TEXT)
		return api_refuse(e, "q has 1 to %d bytes", SEARCH_TEXT);
	response_json(&x->rs, 200);
	str_addc(&x->rs.body, '{');
	if (reg_search(x->reg, guard_may_pull(x, &of), q.buf, &x->rs.body, e) < 0)
		return -1;
	str_addc(&x->rs.body, '}');
	api_done(x);
	return 0;
}
