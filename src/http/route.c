/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: the table of routes, and matching from the right.
 *
 * Owns no state.
 */
#include "http/route.h"

#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "http/handlers.h"

enum { R_BASE, R_TOKEN, R_CATALOG, R_TAGS, R_MANIFEST, R_BLOB, R_REFERRERS, R_UPLOADS, R_UPLOAD, R_COUNT };

_Static_assert(R_COUNT < METRICS_ROUTES, "more routes than are counted");

/* All there is: what route_find() gives is one of these. */
static const struct route routes[R_COUNT] = {
	[R_BASE] = { "base", "/v2/", { { METHOD_GET, OP_READ, NEED_LOGIN, NULL, h_base_get } } },
	/* A token changes nothing that is stored: it can be had in a registry that is read-only. */
	[R_TOKEN] = {
		"token", "/v2/token",
		{
			{ METHOD_GET, OP_READ, NEED_TOKEN, NULL, h_token_get },
			{ METHOD_POST, OP_READ, NEED_TOKEN, NULL, h_token_post },
		},
	},
	[R_CATALOG] = { "catalog", "/v2/_catalog", { { METHOD_GET, OP_READ, NEED_CATALOG, NULL, h_catalog_get } } },
	[R_TAGS] = { "tags", "/v2/<name>/tags/list", { { METHOD_GET, OP_READ, NEED_PULL, NULL, h_tags_get } } },
	[R_MANIFEST] = {
		"manifest", "/v2/<name>/manifests/<reference>",
		{
			{ METHOD_GET, OP_READ, NEED_PULL, NULL, h_manifest_get },
			{ METHOD_PUT, OP_WRITE, NEED_PUSH, h_manifest_put_check, h_manifest_put },
			{ METHOD_DELETE, OP_DELETE, NEED_DELETE, NULL, h_manifest_delete },
		},
	},
	[R_BLOB] = {
		"blob", "/v2/<name>/blobs/<digest>",
		{
			{ METHOD_GET, OP_READ, NEED_PULL, NULL, h_blob_get },
			{ METHOD_DELETE, OP_DELETE, NEED_DELETE, NULL, h_blob_delete },
		},
	},
	[R_REFERRERS] = {
		"referrers", "/v2/<name>/referrers/<digest>", { { METHOD_GET, OP_READ, NEED_PULL, NULL, h_referrers_get } }
	},
	[R_UPLOADS] = {
		"uploads", "/v2/<name>/blobs/uploads/",
		{ { METHOD_POST, OP_WRITE, NEED_PUSH, h_uploads_post_check, h_uploads_post } },
	},
	/* An upload belongs to who may push there, its state too. Cancelling deletes nothing that anybody could have pulled. */
	[R_UPLOAD] = {
		"upload", "/v2/<name>/blobs/uploads/<uuid>",
		{
			{ METHOD_GET, OP_READ, NEED_PUSH, NULL, h_upload_get },
			{ METHOD_PATCH, OP_WRITE, NEED_PUSH, h_upload_patch_check, h_upload_patch },
			{ METHOD_PUT, OP_WRITE, NEED_PUSH, h_upload_put_check, h_upload_put },
			{ METHOD_DELETE, OP_WRITE, NEED_PUSH, NULL, h_upload_delete },
		},
	},
};

static const struct {
	enum method method;
	const char *text;
} method_order[] = {
	{ METHOD_GET, "GET, HEAD" }, { METHOD_POST, "POST" },     { METHOD_PUT, "PUT" },
	{ METHOD_PATCH, "PATCH" },   { METHOD_DELETE, "DELETE" },
};

/* A slice of the path, with what lies before it. */
struct segment {
	const char *s;
	size_t len;
};

/* Takes the last segment off [path, path+*len). */
static struct segment take_last(const char *path, size_t *len)
{
	const char *slash = memrchr(path, '/', *len);
	struct segment last = { slash ? slash + 1 : path, *len };

	*len = slash ? (size_t)(slash - path) : 0;
	last.len -= (size_t)(last.s - path);
	return last;
}

static bool is(struct segment s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static bool matched(struct route_match *m, const struct route *r, const char *name, size_t name_len, struct segment tail)
{
	if (name_len > 0)
		*m = (struct route_match){ r, name, tail.s, name_len, tail.len };
	return name_len > 0;
}

bool route_find(const char *path, size_t len, struct route_match *m)
{
	static const char prefix[] = "/v2/";
	struct segment last, before, third, none = { NULL, 0 };
	size_t rest, left;

	*m = (struct route_match){ 0 };
	if (len < strlen(prefix) || memcmp(path, prefix, strlen(prefix)) != 0)
		return false;
	path += strlen(prefix);
	len -= strlen(prefix);
	rest = len;
	last = take_last(path, &rest);
	if (len == last.len && (len == 0 || is(last, "_catalog") || is(last, "token"))) {
		m->route = &routes[len == 0 ? R_BASE : is(last, "token") ? R_TOKEN : R_CATALOG];
		return true;
	}
	before = take_last(path, &rest);
	left = rest;
	third = take_last(path, &left);
	if (is(before, "tags") && is(last, "list"))
		return matched(m, &routes[R_TAGS], path, rest, none);
	if (is(before, "manifests") && last.len)
		return matched(m, &routes[R_MANIFEST], path, rest, last);
	if (is(before, "referrers") && last.len)
		return matched(m, &routes[R_REFERRERS], path, rest, last);
	if (is(before, "blobs") && is(last, "uploads"))
		return matched(m, &routes[R_UPLOADS], path, rest, none);
	if (is(before, "blobs") && last.len)
		return matched(m, &routes[R_BLOB], path, rest, last);
	if (is(third, "blobs") && is(before, "uploads"))
		return last.len ? matched(m, &routes[R_UPLOAD], path, left, last) : matched(m, &routes[R_UPLOADS], path, left, none);
	return false;
}

unsigned route_number(const struct route *r)
{
	return r ? (unsigned)(r - routes) + 1 : 0;
}

const char *route_label(unsigned number)
{
	if (number > R_COUNT)
		return NULL;
	return number ? routes[number - 1].label : "none";
}

static bool allowed(const struct op *o, const struct config *cfg)
{
	if (o->kind == OP_DELETE && !cfg->delete_enabled)
		return false;
	return o->kind == OP_READ || !cfg->readonly;
}

const struct op *route_op(const struct route *r, enum method m, const struct config *cfg)
{
	size_t i;

	if (m == METHOD_HEAD)
		m = METHOD_GET;
	for (i = 0; i < ROUTE_OPS_MAX && r->ops[i].handle; i++)
		if (r->ops[i].method == m)
			return allowed(&r->ops[i], cfg) ? &r->ops[i] : NULL;
	return NULL;
}

void route_allow(const struct route *r, const struct config *cfg, struct str *out)
{
	size_t i;

	str_reset(out);
	for (i = 0; i < ARRAY_LEN(method_order); i++)
		if (route_op(r, method_order[i].method, cfg))
			str_addf(out, "%s, ", method_order[i].text);
	str_puts(out, "OPTIONS");
}

static void list_op(const struct route *r, const struct op *o, struct str *out)
{
	static const char *const needs[] = {
		[NEED_UNSAID] = "nobody", [NEED_TOKEN] = "password", [NEED_LOGIN] = "login", [NEED_CATALOG] = "catalog",
		[NEED_PULL] = "pull", [NEED_PUSH] = "push", [NEED_DELETE] = "delete",
	};

	for (size_t i = 0; i < ARRAY_LEN(method_order); i++)
		if (method_order[i].method == o->method)
			str_addf(out, "%s %s %s\n", o->method == METHOD_GET ? "GET" : method_order[i].text, r->path, needs[o->need]);
	if (o->method == METHOD_GET)
		str_addf(out, "HEAD %s %s\n", r->path, needs[o->need]);
}

void route_list(struct str *out)
{
	for (size_t i = 0; i < R_COUNT; i++)
		for (size_t j = 0; j < ROUTE_OPS_MAX && routes[i].ops[j].handle; j++)
			list_op(&routes[i], &routes[i].ops[j], out);
}
