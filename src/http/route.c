/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: the table of routes, and matching from the right.
 *
 * Owns no state.
 */
#include "http/route.h"

#include <string.h>

#include "base/mem.h"
#include "http/handlers.h"

static const struct route base = { "base", { { METHOD_GET, OP_READ, NULL, h_base_get } } };

static const struct route catalog = { "catalog", { { METHOD_GET, OP_READ, NULL, h_catalog_get } } };

static const struct route tags = { "tags", { { METHOD_GET, OP_READ, NULL, h_tags_get } } };

static const struct route manifest = {
	"manifest",
	{
		{ METHOD_GET, OP_READ, NULL, h_manifest_get },
		{ METHOD_PUT, OP_WRITE, h_manifest_put_check, h_manifest_put },
		{ METHOD_DELETE, OP_DELETE, NULL, h_manifest_delete },
	},
};

static const struct route blob = {
	"blob",
	{
		{ METHOD_GET, OP_READ, NULL, h_blob_get },
		{ METHOD_DELETE, OP_DELETE, NULL, h_blob_delete },
	},
};

static const struct route referrers = { "referrers", { { METHOD_GET, OP_READ, NULL, h_referrers_get } } };

static const struct route uploads = {
	"uploads", { { METHOD_POST, OP_WRITE, h_uploads_post_check, h_uploads_post } }
};

/* Cancelling an upload deletes nothing that anybody could have pulled: it is a write. */
static const struct route upload = {
	"upload",
	{
		{ METHOD_GET, OP_READ, NULL, h_upload_get },
		{ METHOD_PATCH, OP_WRITE, h_upload_patch_check, h_upload_patch },
		{ METHOD_PUT, OP_WRITE, h_upload_put_check, h_upload_put },
		{ METHOD_DELETE, OP_WRITE, NULL, h_upload_delete },
	},
};

/* A slice of the path, with what lies before it. */
struct segment {
	const char *s;
	size_t len;
};

/* Takes the last segment off [path, path+*len). */
static struct segment take_last(const char *path, size_t *len)
{
	size_t end = *len, at = end;

	while (at > 0 && path[at - 1] != '/')
		at--;
	*len = at > 0 ? at - 1 : 0;
	return (struct segment){ path + at, end - at };
}

static bool is(struct segment s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.s, text, s.len) == 0;
}

static bool matched(struct route_match *m, const struct route *r, const char *name, size_t name_len, struct segment tail)
{
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
	if (len == 0 || (len == strlen("_catalog") && memcmp(path, "_catalog", len) == 0)) {
		m->route = len ? &catalog : &base;
		return true;
	}
	rest = len;
	last = take_last(path, &rest);
	before = take_last(path, &rest);
	left = rest;
	third = take_last(path, &left);
	if (is(before, "tags") && is(last, "list"))
		return matched(m, &tags, path, rest, none);
	if (is(before, "manifests") && last.len)
		return matched(m, &manifest, path, rest, last);
	if (is(before, "referrers") && last.len)
		return matched(m, &referrers, path, rest, last);
	if (is(before, "blobs") && is(last, "uploads"))
		return matched(m, &uploads, path, rest, none);
	if (is(before, "blobs") && last.len)
		return matched(m, &blob, path, rest, last);
	if (is(third, "blobs") && is(before, "uploads"))
		return last.len ? matched(m, &upload, path, left, last) : matched(m, &uploads, path, left, none);
	return false;
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
	static const struct {
		enum method method;
		const char *text;
	} order[] = {
		{ METHOD_GET, "GET, HEAD" }, { METHOD_POST, "POST" },     { METHOD_PUT, "PUT" },
		{ METHOD_PATCH, "PATCH" },   { METHOD_DELETE, "DELETE" },
	};
	size_t i;

	str_reset(out);
	for (i = 0; i < ARRAY_LEN(order); i++)
		if (route_op(r, order[i].method, cfg))
			str_addf(out, "%s, ", order[i].text);
	str_puts(out, "OPTIONS");
}
