/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_HTTP_GUARD_H
#define BERTH_HTTP_GUARD_H

/*
 * guard: authenticates a request, authorises it before its handler runs, and writes the audit.
 *
 * Rights are checked before anything is looked up, so that a refusal does not depend on what exists.
 */

#include <stdbool.h>
#include "base/err.h"
#include "http/exchange.h"
#include "registry/reg_walk.h"

/*
 * guard_identify - set x->who from the request's credentials; serve_request wipes the password
 * UNAUTHORIZED 401 with the challenge, TOOMANYREQUESTS 429 with Retry-After, UNAVAILABLE 503. The audit gets a line.
 */
int guard_identify(struct exchange *x, struct err *e);

/*
 * guard_by - who makes the request, and how, for the journal
 * All text is borrowed until the answer is sent; `agent` and `base` hold what has to be composed.
 */
void guard_by(struct exchange *x, struct str *agent, struct str *base, struct event_by *by);

/* guard_is_of_proxy - whether the web server has said who it is (auth.remote_user) */
bool guard_is_of_proxy(const struct exchange *x);

/* guard_login - how the sender has proved who it is: "password", "token", "session", ...; "anonymous"; static text */
const char *guard_login(const struct exchange *x);

/* guard_origin - refuse a change that a page of another site may have the browser send (http/origin.h); the audit gets a line */
int guard_origin(struct exchange *x, struct err *e);

/*
 * guard_allow - check that x->who has the right that x->op needs, in x->name
 * UNAUTHORIZED 401 with the challenge, DENIED 403; the audit gets a line. NAME_UNKNOWN 404 where there is no token service.
 */
int guard_allow(struct exchange *x, struct err *e);

/*
 * guard_allow_mount - check that a token covers the source of a mount, the repository in the query's `from`
 * UNAUTHORIZED 401, "insufficient_scope", where the rules allow the user to pull there and the token does not. Where the
 * rules do not, 0: guard_may_pull excludes that repository, so the answer is as for a missing blob.
 */
int guard_allow_mount(struct exchange *x, struct err *e);

/*
 * Logins of the token service by a form; errors as for guard_identify.
 * guard_password  len: the length of the password
 * guard_refresh   by a refresh token of len bytes
 * guard_refuse    refuse a token for the reason in *e: add the challenge, and a line of the audit if a login failed; -1
 */
int guard_password(struct exchange *x, const char *user, const char *password, size_t len, struct err *e);
int guard_refresh(struct exchange *x, const char *token, size_t len, struct err *e);
int guard_refuse(struct exchange *x, const struct err *e);

/*
 * Filters of repositories: NULL where x->who has the right for all, else `of` (of REPO_FILTER_INIT), which borrows x.
 * guard_may_pull  those from which x->who may pull, for a mount
 * guard_may_list  those that x->who may see in the catalog
 */
const struct repo_filter *guard_may_pull(struct exchange *x, struct repo_filter *of);
const struct repo_filter *guard_may_list(struct exchange *x, struct repo_filter *of);

/* guard_everybody_may_pull - whether anonymous clients may pull from x->name, so that shared caches may store its blobs */
bool guard_everybody_may_pull(const struct exchange *x);

/* guard_may_change - whether x->who may push to x->name, or, with `removes`, delete there, and the configuration allows it */
bool guard_may_change(const struct exchange *x, bool removes);

/* guard_note - write a line of the audit about something that was done: "session_begin", ... */
void guard_note(const struct exchange *x, const char *action);

/* guard_done - write a line of the audit if the handled operation was a push or a deletion */
void guard_done(const struct exchange *x);

#endif
