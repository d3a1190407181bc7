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

/* `at`, where the page begins without a cursor */
static int read_place(const struct exchange *x, struct tag_query *q, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int found = api_parameter(x, "at", &text, e);

	if (found == 1 && (q->order.after || str_parse_u64(text.buf, text.len, &q->at) < 0))
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "at is a number of entries, and not beside after: %.64s", text.buf);
	q->placed = found == 1;
	return found < 0 ? -1 : 0;
}

int api_tags_get(struct exchange *x, struct err *e)
{
	static const enum order_by may[] = { ORDER_PUSHED, ORDER_NAME, ORDER_VERSION, ORDER_SIZE, ORDER_COUNT };
	cleanup_str struct str text = STR_INIT, next = STR_INIT;
	cleanup_str struct str back = STR_INIT;
	struct tag_query q = { .next = STR_INIT, .back = STR_INIT };
	struct str *out = &x->rs.body;
	int rc;

	if (api_order(x, may, &q.order, e) < 0 || api_number(x, ROWS, ROWS_MAX, &q.max, e) < 0 || api_parameter(x, "q", &text, e) < 0 ||
	    read_place(x, &q, e) < 0)
		return -1;
	q.q = text.buf;
	response_json(&x->rs, 200);
	str_puts(out, "{\"tags\":[");
	rc = reg_tag_rows(x->reg, &x->name, &q, add, out, e);
	next = q.next;
	back = q.back;
	if (rc < 0)
		return -1;
	str_addc(out, ']');
	if (next.len)
		json_put_word(out, "next", next.buf);
	if (back.len)
		json_put_word(out, "back", back.buf);
	if (q.placed)
		json_put_u64(out, "at", q.at);
	if (q.counted)
		json_put_u64(out, "total", q.total);
	api_put_may(x, out);
	str_addc(out, '}');
	api_done(x);
	return 0;
}
