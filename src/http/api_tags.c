/* SPDX-License-Identifier: Apache-2.0 */
/* api_tags: /berth/v1/repos/<name>/tags, the tags of a repository with what is known of each (doc/PAGE.md, "The API"). */
#include "base/json_put.h"
#include "http/api.h"
#include "http/handlers.h"
#include "registry/reg_tag_rows.h"

#define ROWS 50
#define ROWS_MAX 100

static int add(void *arg, const struct tag_row *row, struct err *e)
{
	(void)e;
	reg_tag_row_json(row, arg);
	return 0;
}

int api_tags_get(struct exchange *x, struct err *e)
{
	static const enum order_by may[] = { ORDER_PUSHED, ORDER_NAME, ORDER_VERSION, ORDER_SIZE, ORDER_COUNT };
	cleanup_str struct str text = STR_INIT, next = STR_INIT;
	struct tag_query q = { .next = STR_INIT };
	struct str *out = &x->rs.body;
	int rc;

	if (api_order(x, may, &q.order, e) < 0 || api_number(x, ROWS, ROWS_MAX, &q.max, e) < 0 || api_parameter(x, "q", &text, e) < 0)
		return -1;
	q.q = text.buf;
	response_json(&x->rs, 200);
	str_puts(out, "{\"tags\":[");
	rc = reg_tag_rows(x->reg, &x->name, &q, add, out, e);
	next = q.next;
	if (rc < 0)
		return -1;
	str_addc(out, ']');
	if (next.len)
		json_put_word(out, "next", next.buf);
	if (q.counted)
		json_put_u64(out, "total", q.total);
	api_put_may(x, out);
	str_addc(out, '}');
	api_done(x);
	return 0;
}
