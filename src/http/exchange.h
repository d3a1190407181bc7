/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_EXCHANGE_H
#define BERTH_HTTP_EXCHANGE_H

/*
 * exchange: one request and its answer while it is being worked on: what every handler gets.
 *
 * A handler comes in two parts. `check` decides from the headers alone whether the request may go on; it also runs by
 * itself, before nginx reads a body. `handle` runs after it, once the body is there.
 */

#include "auth/auth.h"
#include "base/err.h"
#include "base/ref.h"
#include "http/request.h"
#include "http/response.h"
#include "registry/registry.h"

struct FCGX_Request;
struct op;
struct route_match;

struct exchange {
	struct FCGX_Request *fr;        /* for the body's stream alone */
	struct request rq;
	struct response rs;
	struct registry *reg;
	struct auth *auth;
	struct identity who;
	const struct route_match *match;        /* where the path leads; NULL as long as that is not known */
	const struct op *op;            /* what answers there; NULL: nothing */
	struct name name;               /* the repository, where the route has one */
	const char *tail;               /* the last segment, where the route has one: a reference, digest or uuid */
	size_t tail_len;
};

typedef int handler_fn(struct exchange *x, struct err *e);

#endif
