/* SPDX-License-Identifier: Apache-2.0 */
/* api_repos: /berth/v1/repos, the repositories that the caller may pull (doc/PAGE.md, "The API"). */
#include "base/json_put.h"
#include "http/api.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "registry/reg_repo_rows.h"

#define ROWS 50
#define ROWS_MAX 100

static int add(void *arg, const struct repo_row *row, struct err *e)
{
	(void)e;
	reg_repo_row_json(row, arg);
	return 0;
}

int api_repos_get(struct exchange *x, struct err *e)
{
	static const enum order_by may[] = { ORDER_NAME, ORDER_PUSHED, ORDER_SIZE, ORDER_TAGS, ORDER_COUNT };
	cleanup_repo_filter struct repo_filter of = REPO_FILTER_INIT;
	cleanup_str struct str text = STR_INIT, next = STR_INIT;
	struct repo_query q = { .next = STR_INIT };
	struct str *out = &x->rs.body;
	int rc;

	if (api_order(x, may, &q.order, e) < 0 || api_number(x, ROWS, ROWS_MAX, &q.max, e) < 0 || api_parameter(x, "q", &text, e) < 0)
		return -1;
	q.q = text.buf;
	q.of = guard_may_pull(x, &of);
	response_json(&x->rs, 200);
	str_puts(out, "{\"repos\":[");
	rc = reg_repo_rows(x->reg, &q, add, out, e);
	next = q.next;
	if (rc < 0)
		return -1;
	str_addc(out, ']');
	if (next.len)
		json_put_word(out, "next", next.buf);
	if (q.counted)
		json_put_u64(out, "total", q.total);
	if (q.as_of)
		json_put_time(out, "as_of", q.as_of);
	str_addc(out, '}');
	api_done(x);
	return 0;
}
