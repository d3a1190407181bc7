/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_GUARD_H
#define BERTH_HTTP_GUARD_H

/*
 * guard: stands between a request and its handler. Who asks, may they, and the line of the audit that says so.
 *
 * Rights are asked for before anything is looked up, so that no answer depends on what there is.
 */

#include <stdbool.h>
#include "base/err.h"
#include "http/exchange.h"
#include "http/route.h"

/*
 * guard_identify - set x->who from what the request brings, and wipe the password from memory
 * UNAUTHORIZED 401 with the challenge, TOOMANYREQUESTS 429 with Retry-After, UNAVAILABLE 503; said in the audit.
 */
int guard_identify(struct exchange *x, struct err *e);

/* guard_allow - whether x->who may do this in x->name: UNAUTHORIZED 401 with the challenge, or DENIED 403; said in the audit */
int guard_allow(struct exchange *x, const struct route *r, const struct op *op, struct err *e);

/*
 * guard_may_pull - the repositories that x->who may pull from, for listings and mounts
 * Returns NULL where that is all of them; else `of`, which holds as long as x does.
 */
const struct repo_filter *guard_may_pull(struct exchange *x, struct repo_filter *of);

/* guard_everybody_may_pull - whether what x->name holds is for everybody, and so for caches that many share */
bool guard_everybody_may_pull(const struct exchange *x);

/* guard_done - a line of the audit for an operation that changed something, once it is answered */
void guard_done(const struct exchange *x, const struct op *op);

#endif
