/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_SERVE_H
#define BERTH_HTTP_SERVE_H

/* serve: one FastCGI request, from its parameters to its answer and its line in the log. */

#include <stdbool.h>
#include "auth/auth.h"
#include "registry/registry.h"

struct FCGX_Request;

/*
 * serve_request - read a request, answer it, count it, log it. The caller finishes `fr`.
 * relay  it came on the relay's socket: it may use the relay's routes, and no others
 */
void serve_request(struct FCGX_Request *fr, struct registry *reg, struct auth *auth, bool relay);

#endif
