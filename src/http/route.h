/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_ROUTE_H
#define BERTH_HTTP_ROUTE_H

/*
 * route: which operation answers a path and a method, by the rows of route_table.c.
 *
 * A path is matched from its right end, because a component of a repository's name may be called blobs, manifests,
 * tags or uploads: /v2/a/tags/manifests/list is the manifest `list` of the repository a/tags.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "conf/config.h"
#include "http/request.h"

struct exchange;

typedef int handler_fn(struct exchange *x, struct err *e);

enum op_kind { OP_READ, OP_WRITE, OP_DELETE };

/*
 * The right that a client needs. NEED_UNSAID, in a row without one, denies it to everybody. NEED_TOKEN: the handler checks the login. NEED_ANYBODY:
 * no right, but a login that is sent has to be right. NEED_ADMIN is a right in the registry, not in a repository.
 * NEED_RELAY, in all rows of a route or in none: the route exists on the relay's socket alone, and needs no right there.
 */
enum op_need { NEED_UNSAID, NEED_RELAY, NEED_TOKEN, NEED_ANYBODY, NEED_LOGIN, NEED_CATALOG, NEED_PULL, NEED_PUSH, NEED_DELETE, NEED_ADMIN };

/*
 * The pool of workers that the web server asks. Any worker can answer any request of a client: this is what nginx's map is tested
 * against. The last: uploads where the query has a digest, and so the body is a blob; else writes.
 */
enum op_pool { IN_REQUESTS, IN_RELAY, IN_WRITES, IN_UPLOADS, IN_WRITES_OR_UPLOADS };

struct op {
	enum method method;             /* METHOD_GET also answers HEAD, unless a row for METHOD_HEAD precedes it */
	enum op_kind kind;
	enum op_need need;
	enum op_pool pool;
	handler_fn *check;              /* may be NULL */
	handler_fn *handle;
};

/*
 * A pattern of paths: PATH(left, "<name>", fixed, tail), or PATH("", "", fixed, tail) without a repository's name
 * left    the path begins with it
 * <name>  one or more components, the repository
 * fixed   begins with a slash; one at the end of a pattern with a name is optional
 * tail    "<...>", one component that is not empty, or ""
 */
enum path_end { PATH_WHOLE, PATH_BEFORE_TAIL, PATH_BEFORE_SLASH, PATH_ENDS };

struct route_path {
	const char *text;
	enum path_end end;              /* where in a path `fixed` ends */
	unsigned char left, name, fixed;        /* lengths of the parts of text, `fixed` without an optional slash */
	char first;                     /* the second byte of `fixed`, which begins with a slash: it tells most patterns apart */
};

#define PATH_SLASH(name, fixed) (sizeof(name) > 1 && (fixed)[sizeof(fixed) - 2] == '/')
#define PATH(left, name, fixed, tail)                                                                         \
	{ left name fixed tail,                                                                               \
	  sizeof(tail) > 1 ? PATH_BEFORE_TAIL : PATH_SLASH(name, fixed) ? PATH_BEFORE_SLASH : PATH_WHOLE,     \
	  sizeof(left) - 1, sizeof(name) - 1,                                                                 \
	  sizeof(fixed) - 1 - (sizeof(tail) == 1 && PATH_SLASH(name, fixed)), (fixed)[1] }

#define ROUTE_OPS_MAX 4

struct route {
	const char *label;              /* for logs and metrics: "manifest" */
	struct route_path path;
	struct op ops[ROUTE_OPS_MAX];   /* up to the first without a handler */
};

/* The first row whose pattern matches a path is its route. A row without a label ends the table. */
extern const struct route route_table[];

/* A matched path; slices of it, borrowed. */
struct route_match {
	const struct route *route;      /* NULL: no route matches */
	const char *name, *tail;
	size_t name_len, tail_len;      /* 0: the route has none */
};

/* route_find - match a decoded path; false: no route matches, and *out is empty. Name and tail are not validated yet. */
bool route_find(const char *path, size_t len, struct route_match *out);

/* route_is_of_relay - whether only the relay may use this route */
bool route_is_of_relay(const struct route *r);

/*
 * route_op - the operation for this method under this configuration, or NULL: 405
 * n  the repository, whose rules count (doc/RULES.md, "Limits"); NULL: whether there is a repository that may have it
 */
const struct op *route_op(const struct route *r, enum method m, const struct config *cfg, const struct name *n);

/*
 * route_number - a small number for a route, 0 for none (NULL)
 * route_label  - the label of such a number: "none" for 0; NULL for the one after the last
 */
unsigned route_number(const struct route *r);
const char *route_label(unsigned number);

/* route_list - add a line for each method and path, "GET /v2/ login requests": the right and the pool follow the path */
void route_list(struct str *out);

/* route_allow - the value of Allow: the methods for which route_op has an operation, and OPTIONS */
void route_allow(const struct route *r, const struct config *cfg, const struct name *n, struct str *out);

#endif
