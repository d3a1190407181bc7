/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_EXCHANGE_H
#define BERTH_HTTP_EXCHANGE_H

/*
 * exchange: a request, its answer, and what is known about both so far. Every handler gets one.
 *
 * An operation has up to two handlers. `check` decides from the headers alone whether the request is acceptable: nginx
 * asks for it before it reads a body. `handle` does the work; `check` has run again just before it.
 */

#include "auth/auth.h"
#include "base/ref.h"
#include "http/request.h"
#include "http/response.h"
#include "http/route.h"
#include "registry/registry.h"

struct FCGX_Request;

struct exchange {
	struct FCGX_Request *fr;        /* only to read the body's stream */
	bool relay;                     /* the request came on the relay's socket: nothing in a request can set this */
	bool personal;                  /* the path is below /berth/v1/: a cookie counts, and no cache keeps the answer */
	struct request rq;
	struct response rs;
	struct registry *reg;
	struct auth *auth;
	struct identity who;
	struct route_match match;       /* empty until the path is matched */
	const struct op *op;            /* the operation of this path and method; NULL: none */
	struct name name;               /* the repository, where the route has one */
	const struct config_upstream *upstream; /* whose mirror it is; NULL: nobody's */
	const char *there;              /* its name there, a slice of `name` */
	struct str full;                /* the name with that of its name space before it, where the path has only a part; `match` borrows it */
	struct str space;               /* the name space as the client has named it with ns=; "": it has not */
	enum cached { CACHED_ASK, CACHED_FRESH, CACHED_STALE } cached;  /* whether the relay has asked the upstream already, and to what effect */
	const char *tail;               /* the path's last component, where the route has one: a reference, digest or uuid */
	size_t tail_len;
};

#endif
