/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_body: JSON of requests.
 *
 * Owns nothing.
 */
#include "http/api_body.h"

#include <string.h>

#include "base/json_check.h"
#include "http/api.h"
#include "http/body.h"

int api_members(struct json_view object, const char *what, api_member *visit, void *arg, struct err *e)
{
	struct json_walk w = json_walk(object);
	struct json_view key, val;

	if (!w.object)
		return api_refuse(e, "%s is no object", what);
	while (json_walk_next(&w, &key, &val)) {
		cleanup_str struct str text = STR_INIT;

		json_view_text(key, &text);
		if (visit(arg, text.buf, val, e) < 0)
			return -1;
	}
	return 0;
}

int api_body(struct exchange *x, size_t max, struct str *body, api_member *visit, void *arg, struct err *e)
{
	struct json_fault f;

	if (body_read(x, max, body, e) < 0)
		return -1;
	if (json_check(body->buf, body->len, &f) < 0)
		return api_refuse(e, "the body is no JSON: %s", f.what);
	return api_members(json_view_of(body->buf, body->len), "the body", visit, arg, e);
}

int api_text(struct json_view v, const char *what, size_t max, struct str *out, struct err *e)
{
	if (v.kind != JSON_STRING)
		return api_refuse(e, "%s is no text", what);
	json_view_text(v, out);
	if (!out->len || out->len > max || memchr(out->buf, '\0', out->len))
		return api_refuse(e, "%s has 1 to %zu bytes", what, max);
	return 0;
}
