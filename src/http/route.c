/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route: matches paths and methods with the rows of the table.
 *
 * Owns no state. Knows no path and no handler: route_table does.
 */
#include "http/route.h"

#include <string.h>

#include "base/mem.h"
#include "conf/rules.h"

/* Whether the fixed part of a pattern is at `at` in the path, and its left part at the beginning. */
static bool matches(const struct route_path *p, const char *path, size_t at)
{
	if (p->name ? at <= p->left : at != 0)
		return false;
	return memcmp(path + at, p->text + p->left + p->name, p->fixed) == 0 && memcmp(path, p->text, p->left) == 0;
}

static void slice(struct route_match *m, const struct route *r, const char *path, size_t at, size_t tail, size_t len)
{
	m->route = r;
	if (r->path.name) {
		m->name = path + r->path.left;
		m->name_len = at - r->path.left;
	}
	if (r->path.end == PATH_BEFORE_TAIL) {
		m->tail = path + tail;
		m->tail_len = len - tail;
	}
}

bool route_find(const char *path, size_t len, struct route_match *m)
{
	const char *slash = memrchr(path, '/', len);
	size_t tail = slash ? (size_t)(slash + 1 - path) : 0;
	/* A path without a tail matches no pattern with one: 0 is before any fixed part. */
	const size_t end[PATH_ENDS] = { len, tail < len ? tail : 0, tail < len ? len : len - 1 };
	const struct route *r;

	*m = (struct route_match){ 0 };
	for (r = route_table; slash && r->label; r++) {
		size_t at = end[r->path.end] - r->path.fixed;

		if (at < len && path[at + 1] == r->path.first && matches(&r->path, path, at)) {
			slice(m, r, path, at, tail, len);
			return true;
		}
	}
	return false;
}

unsigned route_number(const struct route *r)
{
	return r ? (unsigned)(r - route_table) + 1 : 0;
}

const char *route_label(unsigned number)
{
	return number ? route_table[number - 1].label : "none";
}

bool route_is_of_relay(const struct route *r)
{
	return r->ops[0].need == NEED_RELAY;
}

static const struct op *op_for(const struct route *r, enum method m)
{
	const struct op *o;

	for (o = r->ops; o < r->ops + ROUTE_OPS_MAX && o->handle; o++)
		if (o->method == m || (o->method == METHOD_GET && m == METHOD_HEAD))
			return o;
	return NULL;
}

/* Without a repository: whether any could have it. A rule can allow deletions where the registry does not, but no writes. */
static bool is_off(const struct op *o, const struct config *cfg, const struct name *n)
{
	if (o->kind != OP_READ && (n ? rules_readonly(cfg, n) : cfg->readonly))
		return true;
	return o->kind == OP_DELETE && !(n ? rules_delete(cfg, n) : cfg->delete_enabled || rules_any(cfg, RULE_DELETE));
}

const struct op *route_op(const struct route *r, enum method m, const struct config *cfg, const struct name *n)
{
	const struct op *o = op_for(r, m);

	return o && !is_off(o, cfg, n) ? o : NULL;
}

static const enum method methods[] = { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE };

void route_allow(const struct route *r, const struct config *cfg, const struct name *n, struct str *out)
{
	size_t i;

	str_reset(out);
	for (i = 0; i < ARRAY_LEN(methods); i++)
		if (route_op(r, methods[i], cfg, n))
			str_addf(out, "%s, ", request_method_text(methods[i]));
	str_puts(out, "OPTIONS");
}

static void list_op(const struct route *r, enum method m, const struct op *o, struct str *out)
{
	static const char *const needs[] = {
		[NEED_UNSAID] = "nobody", [NEED_RELAY] = "relay", [NEED_TOKEN] = "password", [NEED_LOGIN] = "login", [NEED_CATALOG] = "catalog",
		[NEED_PULL] = "pull", [NEED_PUSH] = "push", [NEED_DELETE] = "delete", [NEED_ADMIN] = "admin", [NEED_ANYBODY] = "anybody",
	};
	static const char *const pools[] = {
		[IN_REQUESTS] = "requests", [IN_RELAY] = "relay", [IN_WRITES] = "writes", [IN_UPLOADS] = "uploads",
		[IN_WRITES_OR_UPLOADS] = "writes",
	};
	const char *method = request_method_text(m);

	str_addf(out, "%s %s %s %s\n", method, r->path.text, needs[o->need], pools[o->pool]);
	if (o->pool == IN_WRITES_OR_UPLOADS)
		str_addf(out, "%s %s?digest=<digest> %s %s\n", method, r->path.text, needs[o->need], pools[IN_UPLOADS]);
}

void route_list(struct str *out)
{
	for (const struct route *r = route_table; r->label; r++)
		for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
			const struct op *o = op_for(r, methods[i]);

			if (o)
				list_op(r, methods[i], o, out);
		}
}
