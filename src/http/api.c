/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api: queries and answers of the API of the page.
 *
 * Owns nothing.
 */
#include "http/api.h"

#include <stdarg.h>
#include <string.h>

#include "base/digest.h"
#include "base/etag.h"
#include "base/json_put.h"
#include "http/guard.h"

int api_refuse(struct err *e, const char *fmt, ...)
{
	cleanup_str struct str text = STR_INIT;
	va_list ap;

	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	err_set(e, ERR_UNSUPPORTED, "%s", text.buf);
	return err_status(e, 400);
}

int api_parameter(const struct exchange *x, const char *key, struct str *out, struct err *e)
{
	int found = request_query(&x->rq, key, out);

	if (found < 0 || (found == 1 && memchr(out->buf, '\0', out->len)))
		return api_refuse(e, "%s is not form-encoded", key);
	return found == 1 && out->len > 0;
}

int api_number(const struct exchange *x, size_t otherwise, size_t max, size_t *n, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t v;
	int found = api_parameter(x, "n", &text, e);

	*n = otherwise;
	if (found < 0 || (found && (str_parse_u64(text.buf, text.len, &v) < 0 || v == 0)))
		return found < 0 ? -1 : err_set(e, ERR_PAGINATION_NUMBER_INVALID, "%.64s", text.buf);
	if (found)
		*n = v < max ? (size_t)v : max;
	return 0;
}

static bool is_one_of(enum order_by by, const enum order_by *may)
{
	while (*may != ORDER_COUNT && *may != by)
		may++;
	return *may == by;
}

int api_order(const struct exchange *x, const enum order_by *may, struct order *o, struct err *e)
{
	cleanup_str struct str sort = STR_INIT, direction = STR_INIT, after = STR_INIT;
	int sorted = api_parameter(x, "sort", &sort, e), directed = sorted < 0 ? -1 : api_parameter(x, "order", &direction, e);
	int begun = directed < 0 ? -1 : api_parameter(x, "after", &after, e);

	*o = (struct order){ .by = *may };
	if (begun < 0)
		return -1;
	if (!sorted)
		str_puts(&sort, order_name(*may));
	if (order_parse(o, sort.buf) < 0 || !is_one_of(o->by, may))
		return api_refuse(e, "this is not sorted by %.64s", sort.buf);
	if (directed && strcmp(direction.buf, "asc") != 0 && strcmp(direction.buf, "desc") != 0)
		return api_refuse(e, "order is asc or desc, not %.64s", direction.buf);
	if (directed)
		o->desc = strcmp(direction.buf, "desc") == 0;
	if (begun && order_parse_cursor(o, after.buf) < 0)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "after is no place in this list: %.64s", after.buf);
	return 0;
}

void api_put_may(const struct exchange *x, struct str *out)
{
	json_put_key(out, "may");
	str_addc(out, '[');
	json_put_word(out, NULL, "pull");
	if (guard_may_change(x, false))
		json_put_word(out, NULL, "push");
	if (guard_may_change(x, true))
		json_put_word(out, NULL, "delete");
	str_addc(out, ']');
}

void api_done(struct exchange *x)
{
	cleanup_str struct str etags = STR_INIT;
	struct digest d;

	str_addc(&x->rs.body, '\n');
	digest_of(&d, DIGEST_SHA256, x->rs.body.buf, x->rs.body.len);
	response_header(&x->rs, "Etag", "\"%s\"", d.text);
	if (!request_header(&x->rq, "HTTP_IF_NONE_MATCH", &etags) || !etag_matches(etags.buf, &d))
		return;
	x->rs.status = 304;
	str_reset(&x->rs.body);
}
