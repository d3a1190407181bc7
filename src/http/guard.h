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
#include "registry/reg_walk.h"

/*
 * guard_identify - set x->who from what the request brings; serve_request wipes the password
 * UNAUTHORIZED 401 with the challenge, TOOMANYREQUESTS 429 with Retry-After, UNAVAILABLE 503; said in the audit.
 */
int guard_identify(struct exchange *x, struct err *e);

/* guard_allow - whether x->who may do this in x->name: UNAUTHORIZED 401 with the challenge, or DENIED 403; said in the audit */
int guard_allow(struct exchange *x, struct err *e);

/*
 * guard_allow_mount - whether x->who, by a token, may ask for the blob of the repository that `from` names
 * UNAUTHORIZED 401, "insufficient_scope", where the rules would let them pull there and the token does not. Where the rules
 * don't, 0: guard_may_pull leaves that repository out, and so it is as if the blob were missing.
 */
int guard_allow_mount(struct exchange *x, struct err *e);

/*
 * The token service's ways to log in by a form; as guard_identify.
 * guard_password  len: the password's
 * guard_refuse    the answer to whoever asks for a token and gets none: its challenge, and the audit where a login was refused
 */
int guard_password(struct exchange *x, const char *user, const char *password, size_t len, struct err *e);
int guard_refresh(struct exchange *x, const char *token, size_t len, struct err *e);
int guard_refuse(struct exchange *x, const struct err *e);

/*
 * The repositories that x->who may pull from: NULL where that is all of them, else `of` (of REPO_FILTER_INIT), which holds as
 * long as x does.
 * guard_may_pull  to take a blob from, by a mount
 * guard_may_list  to name in a listing
 */
const struct repo_filter *guard_may_pull(struct exchange *x, struct repo_filter *of);
const struct repo_filter *guard_may_list(struct exchange *x, struct repo_filter *of);

/* guard_everybody_may_pull - whether what x->name holds is for everybody, and so for caches that many share */
bool guard_everybody_may_pull(const struct exchange *x);

/* guard_done - a line of the audit for an operation that changed something, once it is answered */
void guard_done(const struct exchange *x);

#endif
