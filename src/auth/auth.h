/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_AUTH_H
#define BERTH_AUTH_AUTH_H

/*
 * auth: who is it, and may they?
 *
 * Two steps. auth_identify() makes an identity of what a request brings: one function for each way to log in, found by
 * the scheme of the Authorization header in one table. auth_may() asks the rules about that identity, and the token that
 * it came by. Whoever adds a way to log in adds a row to that table, and what it has to say about rights to the identity.
 *
 * A token of our own (auth_issue) says who somebody is and for what they wanted it: what they may is looked up at each
 * use, and so is whether their password still is the one that it was given for. A token of a service elsewhere says
 * itself what its bearer may; the rules are not asked.
 */

#include <stdbool.h>
#include <stddef.h>
#include "auth/challenge.h"
#include "auth/identity.h"
#include "auth/keyring.h"
#include "auth/throttle.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "conf/config.h"
#include "jose/scope.h"

/* What a request brings; all of it borrowed. */
struct credentials {
	const char *authorization;      /* the header's values, joined; NULL: none */
	const char *remote_user;        /* whom the web server names by REMOTE_USER; NULL or "": nobody */
	const char *remote;             /* the client's address */
};

struct auth;

/* auth_open - for one process, after fork; all is borrowed; k and t may be NULL: no tokens, no counting */
struct auth *auth_open(const struct config *cfg, const struct keyring *k, struct throttle *t);
void auth_close(struct auth **a);

/* auth_on - whether rights are asked for at all */
bool auth_on(const struct auth *a);

/*
 * auth_identify - who it is. No credentials: nobody, which is no error.
 * id           of IDENTITY_INIT
 * retry_after  gets the seconds to wait where the answer is 429, else 0
 *
 * Returns 0, or -1: UNAUTHORIZED 401 for credentials that are wrong or malformed, TOOMANYREQUESTS 429, UNAVAILABLE 503.
 */
int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e);

/*
 * The same for what a form brings to the token service: a user and a password (len bytes), or a refresh token. That is
 * an identity's as long as the password stays the same.
 */
int auth_by_password(struct auth *a, const struct credentials *c, const char *user, const char *password, size_t len,
		     struct identity *id, unsigned *retry_after, struct err *e);
int auth_by_refresh(struct auth *a, const char *token, size_t len, struct identity *id, struct err *e);

/* auth_issues_tokens - whether there is a token service here */
bool auth_issues_tokens(const struct auth *a);

#define AUTH_TOKEN_SECONDS 300
#define AUTH_REFRESH_SECONDS (365 * 24 * 3600)

/*
 * auth_issue - a token for somebody: of what they want what the rules give them, which may be nothing
 * refresh  a refresh token, too; only somebody who is logged in gets one
 * json     gets the answer: token, access_token, expires_in, issued_at, refresh_token
 *
 * Returns 0, or -1: UNAUTHORIZED 401 where a login is wanted, DENIED 403 where somebody is logged in in a way that no token
 * can stand for, UNAVAILABLE 503.
 */
int auth_issue(struct auth *a, struct identity *id, const struct scopes *want, bool refresh, struct str *json, struct err *e);

/* auth_may - whether they may do this there; says nothing of whether the repository exists */
bool auth_may(const struct auth *a, const struct identity *id, enum right right, const struct name *n);

/* auth_may_all - whether they may do this in every repository */
bool auth_may_all(const struct auth *a, const struct identity *id, enum right right);

/* The same for naming a repository in a list: a token to list is not one to pull, but its bearer may pull what is listed. */
bool auth_may_list(const struct auth *a, const struct identity *id, const struct name *n);
bool auth_may_list_all(const struct auth *a, const struct identity *id);

/*
 * The patterns (base/pattern.h) beside which the above hold for no name, so that nobody has to ask for each that there is.
 * auth_may_patterns       for auth_may()
 * auth_may_list_patterns  for auth_may_list(), where auth_may_list_all() does not hold
 */
void auth_may_patterns(const struct auth *a, const struct identity *id, enum right right, struct names *out);
void auth_may_list_patterns(const struct auth *a, const struct identity *id, struct names *out);

/*
 * Whether they may go on: 0, or -1 with UNAUTHORIZED 401, where a login or another token (id->error) could change it, else
 * DENIED 403.
 * auth_require          to do this there
 * auth_require_login    to learn that this is a registry: be logged in, wherever there is a way to
 * auth_require_catalog  to list repositories, of those that they may pull
 * auth_require_source   to take a blob from there; 0 too where the rules do not let them: then nothing is to be found there
 */
int auth_require(const struct auth *a, struct identity *id, enum right right, const struct name *n, struct err *e);
int auth_require_login(const struct auth *a, struct identity *id, struct err *e);
int auth_require_catalog(const struct auth *a, struct identity *id, struct err *e);
int auth_require_source(const struct auth *a, struct identity *id, const struct name *n, struct err *e);

/* auth_challenge - the value of WWW-Authenticate beside a 401 */
void auth_challenge(const struct auth *a, const struct challenge *c, struct str *out);

/*
 * auth_check_config - what can only be seen by reading files that the configuration names
 * warn  gets a line for each key that is there and can't be used; may be NULL
 * Returns 0, or -1 with a line a fault in msg.
 */
int auth_check_config(const struct config *cfg, struct str *warn, struct str *msg);

#endif
