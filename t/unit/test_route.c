/* SPDX-License-Identifier: Apache-2.0 */
/* route: paths matched from the right, methods by configuration, and the rows of the table. */

#include "http/route.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void test_paths(void)
{
	static const struct {
		const char *path, *label, *name, *tail;
	} cases[] = {
		{ "/v2/", "base", NULL, NULL },
		{ "/v2/_catalog", "catalog", NULL, NULL },
		{ "/v2/token", "token", NULL, NULL },
		{ "/v2/token/tags/list", "tags", "token", NULL },
		{ "/v2/a/tags/list", "tags", "a", NULL },
		{ "/v2/a/b/tags/list", "tags", "a/b", NULL },
		{ "/v2/a/manifests/1.0", "manifest", "a", "1.0" },
		{ "/v2/a/manifests/sha256:00", "manifest", "a", "sha256:00" },
		{ "/v2/a/tags/manifests/list", "manifest", "a/tags", "list" },
		{ "/v2/a/manifests/tags/list", "tags", "a/manifests", NULL },
		{ "/v2/a/blobs/sha256:00", "blob", "a", "sha256:00" },
		{ "/v2/a/blobs/uploads", "uploads", "a", NULL },
		{ "/v2/a/blobs/uploads/", "uploads", "a", NULL },
		{ "/v2/a/blobs/uploads/x", "upload", "a", "x" },
		{ "/v2/a/blobs/uploads/blobs/uploads/", "uploads", "a/blobs/uploads", NULL },
		{ "/v2/a/blobs/uploads/manifests/x", "manifest", "a/blobs/uploads", "x" },
		{ "/v2/a/blobs/uploads/blobs/x", "blob", "a/blobs/uploads", "x" },
		{ "/v2/uploads/manifests/x", "manifest", "uploads", "x" },
		{ "/v2/blobs/uploads/manifests/x", "manifest", "blobs/uploads", "x" },
		{ "/v2/UPPER/manifests/x", "manifest", "UPPER", "x" },
		{ "/v2/a/referrers/sha256:00", "referrers", "a", "sha256:00" },
		{ "/v2//manifests/x", NULL, NULL, NULL },
	};
	static const char *const none[] = {
		"", "/", "/v2", "/v1/", "/v2x/", "/v2/a", "/v2/_catalog/", "/v2/token/", "/v2/a/token", "/v2/_catalogs", "/v2/manifests/x", "/v2/tags/list",
		"/v2/a/tags", "/v2/a/tags/", "/v2/a/tags/list/", "/v2/a/manifests", "/v2/a/manifests/", "/v2/a/blobs", "/v2/a/blobs/",
		"/v2/blobs/uploads/", "/v2/blobs/uploads/x", "/v2/blobs/x", "/v2/a/blobs/uploads/x/y", "/v2/a/referrers/",
	};
	struct route_match m;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		bool found = route_find(cases[i].path, strlen(cases[i].path), &m);

		if (!cases[i].label) {
			ok(!found, "%s is no route", cases[i].path);
			continue;
		}
		ok(found && strcmp(m.route->label, cases[i].label) == 0, "%s is the route %s", cases[i].path, cases[i].label);
		ok(cases[i].name ? m.name_len == strlen(cases[i].name) && memcmp(m.name, cases[i].name, m.name_len) == 0 :
				   m.name_len == 0, "its repository is %s", cases[i].name ? cases[i].name : "none");
		ok(cases[i].tail ? m.tail_len == strlen(cases[i].tail) && memcmp(m.tail, cases[i].tail, m.tail_len) == 0 :
				   m.tail_len == 0, "its reference is %s", cases[i].tail ? cases[i].tail : "none");
	}
	for (i = 0; i < ARRAY_LEN(none); i++)
		ok(!route_find(none[i], strlen(none[i]), &m) && !m.route, "%s is no route", none[i]);
}

/* A pattern as a path: with this repository for <name>, and this component at its end. */
static void fill(const struct route *r, const char *name, const char *tail, struct str *out)
{
	const struct route_path *p = &r->path;
	const char *fixed = p->text + p->left + p->name;

	str_reset(out);
	str_add(out, p->text, p->left);
	str_puts(out, p->name ? name : "");
	if (p->end == PATH_BEFORE_TAIL) {
		str_add(out, fixed, strcspn(fixed, "<"));
		str_puts(out, tail);
	} else {
		size_t len = strlen(fixed);

		str_add(out, fixed, p->end == PATH_BEFORE_SLASH && *tail == 'x' ? len - 1 : len);
	}
}

/* A row that stands behind one that takes its paths would answer nothing. */
static void test_rows(void)
{
	static const char *const names[] = { "a", "a/b", "blobs", "uploads", "blobs/uploads", "a/manifests/b", "tags/list", "x/blobs/uploads/y", "referrers" };
	static const char *const tails[] = { "x", "list", "manifests", "blobs", "tags" };
	struct str path = STR_INIT;
	struct route_match m;

	for (const struct route *r = route_table; r->label; r++) {
		unsigned wrong = 0;

		for (size_t i = 0; i < ARRAY_LEN(names) * ARRAY_LEN(tails); i++) {
			const char *name = names[i % ARRAY_LEN(names)], *tail = tails[i / ARRAY_LEN(names)];

			/* An image that is tagged "tags" has no page by its tag (doc/PAGE.md, "The API"). */
			if (strcmp(r->label, "api_image") == 0 && strcmp(tail, "tags") == 0)
				continue;
			fill(r, name, tail, &path);
			wrong += !route_find(path.buf, path.len, &m) || m.route != r;
			wrong += r->path.name && (m.name_len != strlen(name) || memcmp(m.name, name, m.name_len) != 0);
			wrong += r->path.end == PATH_BEFORE_TAIL && (m.tail_len != strlen(tail) || memcmp(m.tail, tail, m.tail_len) != 0);
		}
		ok(wrong == 0, "%s: the paths of its pattern are its own", r->path.text);
		ok(r->path.text[r->path.left + r->path.name] == '/', "... the part behind the name begins with a slash");
	}
	str_release(&path);
}

static const struct route *route_of(const char *path)
{
	struct route_match m;

	return route_find(path, strlen(path), &m) ? m.route : NULL;
}

static void test_methods(void)
{
	static const struct config open = { .delete_enabled = true }, kept = { 0 },
				   readonly = { .delete_enabled = true, .readonly = true };
	static const struct {
		const char *path;
		const struct config *cfg;
		const char *allow;
	} cases[] = {
		{ "/v2/", &open, "GET, HEAD, OPTIONS" },
		{ "/v2/_catalog", &open, "GET, HEAD, OPTIONS" },
		{ "/v2/a/tags/list", &open, "GET, HEAD, OPTIONS" },
		{ "/v2/a/manifests/x", &open, "GET, HEAD, PUT, DELETE, OPTIONS" },
		{ "/v2/a/manifests/x", &kept, "GET, HEAD, PUT, OPTIONS" },
		{ "/v2/a/manifests/x", &readonly, "GET, HEAD, OPTIONS" },
		{ "/v2/a/blobs/x", &open, "GET, HEAD, DELETE, OPTIONS" },
		{ "/v2/a/blobs/x", &kept, "GET, HEAD, OPTIONS" },
		{ "/v2/a/blobs/uploads/", &kept, "POST, OPTIONS" },
		{ "/v2/a/blobs/uploads/", &readonly, "OPTIONS" },
		{ "/v2/a/blobs/uploads/x", &kept, "GET, HEAD, PUT, PATCH, DELETE, OPTIONS" },
		{ "/v2/a/blobs/uploads/x", &readonly, "GET, HEAD, OPTIONS" },
	};
	struct str allow = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(cases); i++) {
		route_allow(route_of(cases[i].path), cases[i].cfg, NULL, &allow);
		is_str(allow.buf, cases[i].allow, "%s allows %s%s%s", cases[i].path, cases[i].allow,
		       cases[i].cfg->delete_enabled ? "" : " with delete off", cases[i].cfg->readonly ? " when read-only" : "");
	}
	ok(route_op(route_of("/v2/"), METHOD_HEAD, &open, NULL) == route_op(route_of("/v2/"), METHOD_GET, &open, NULL),
	   "HEAD is answered by what answers GET");
	ok(route_op(route_of("/v2/a/blobs/x"), METHOD_HEAD, &open, NULL)->method == METHOD_HEAD, "... unless HEAD has a row of its own");
	ok(route_op(route_of("/v2/a/blobs/x"), METHOD_GET, &open, NULL)->method == METHOD_GET, "... which does not answer GET");
	ok(!route_op(route_of("/v2/"), METHOD_OTHER, &open, NULL), "an unknown method has no operation");
	ok(!route_op(route_of("/v2/"), METHOD_OPTIONS, &open, NULL), "OPTIONS has none of its own");
	str_release(&allow);
}

int main(void)
{
	test_paths();
	test_rows();
	test_methods();
	return done_testing();
}
