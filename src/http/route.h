/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_ROUTE_H
#define BERTH_HTTP_ROUTE_H

/*
 * route: which handler answers which path and method. One table in route.c, and nothing about it anywhere else in C.
 *
 * A path is read from the right, since components of a repository's name may be called blobs, manifests, tags or
 * uploads: /v2/a/tags/manifests/list is the tag `list` of a/tags. nginx's locations agree with that.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"
#include "conf/config.h"
#include "http/exchange.h"
#include "http/request.h"

enum op_kind { OP_READ, OP_WRITE, OP_DELETE };

/* What whoever asks must be given. A row that does not say it answers nobody, not even where everybody may everything. */
/* NEED_TOKEN: what the token service asks for by itself. */
enum op_need { NEED_UNSAID, NEED_TOKEN, NEED_LOGIN, NEED_CATALOG, NEED_PULL, NEED_PUSH, NEED_DELETE };

struct op {
	enum method method;             /* METHOD_GET also answers HEAD */
	enum op_kind kind;
	enum op_need need;
	handler_fn *check;              /* may be NULL */
	handler_fn *handle;
};

#define ROUTE_OPS_MAX 4

struct route {
	const char *label;              /* for logs: "manifest" */
	const char *path;               /* how it is written: "/v2/<name>/manifests/<reference>" */
	struct op ops[ROUTE_OPS_MAX];   /* up to the first without a handler */
};

/* A matched path; slices of it, borrowed. */
struct route_match {
	const struct route *route;
	const char *name, *tail;
	size_t name_len, tail_len;      /* 0: the route has none */
};

/* route_find - whether a decoded path belongs to a route, else *out is empty; names and tails are not validated yet */
bool route_find(const char *path, size_t len, struct route_match *out);

/* route_op - what answers this method under this configuration, or NULL: 405 */
const struct op *route_op(const struct route *r, enum method m, const struct config *cfg);

/*
 * route_number - a small number for a route, 0 for none (NULL)
 * route_label  - the label of such a number: "none" for 0; NULL beyond the last
 */
unsigned route_number(const struct route *r);
const char *route_label(unsigned number);

/* route_list - a line for each path and method there is, "GET /v2/ login": what it needs behind it; added to out */
void route_list(struct str *out);

/* route_allow - the value of Allow: the methods that route_op would give, and OPTIONS */
void route_allow(const struct route *r, const struct config *cfg, struct str *out);

#endif
