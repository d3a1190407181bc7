/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_AUTH_H
#define BERTH_AUTH_AUTH_H

/*
 * auth: authentication and authorization of a request.
 *
 * auth_identify() turns the request's credentials into an identity: one table maps each scheme of the Authorization
 * header to a function. auth_may() checks a right of that identity by the rules, and by its token if it has one. To add a
 * way to log in, add a row to the table, and to struct identity whatever limits its rights.
 *
 * A token that berth issued (auth_issue) names its user and the scopes that were asked for. At each use berth looks up
 * the user's rights, and checks that the password is still the one the token was issued for. A token of a foreign
 * service states the rights of its bearer itself; the rules do not apply.
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
#include "store/store.h"

/* The credentials of a request; all borrowed. */
struct credentials {
	const char *authorization;      /* the header's values, joined; NULL: none */
	const char *remote_user;        /* the user that the web server names in REMOTE_USER; NULL or "": none */
	const char *remote;             /* the client's address */
	const char *cookie;             /* of a session; NULL: none, as everywhere but below /berth/v1/ */
	struct store *store;            /* for `cookie` */
};

struct auth;

/*
 * auth_open - for one process, after fork
 * All arguments are borrowed. Without k (NULL) there are no tokens, without t wrong passwords are not counted.
 */
struct auth *auth_open(const struct config *cfg, const struct keyring *k, struct throttle *t);
void auth_close(struct auth **a);

/* auth_on - whether rights are checked: the configuration has the group "auth" */
bool auth_on(const struct auth *a);

/*
 * auth_identify - identify the sender of a request. Without credentials it is IDENTITY_NOBODY, which is no error.
 * id           initialized with IDENTITY_INIT
 * retry_after  gets the seconds to wait if the answer is 429, else 0
 *
 * Returns 0, or -1: UNAUTHORIZED 401 for credentials that are wrong or malformed, TOOMANYREQUESTS 429, UNAVAILABLE 503.
 */
int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e);

/*
 * The same for the form fields of the token service: a user and a password (len bytes), or a refresh token. A refresh
 * token is valid until the user's password changes.
 */
int auth_by_password(struct auth *a, const struct credentials *c, const char *user, const char *password, size_t len,
		     struct identity *id, unsigned *retry_after, struct err *e);
int auth_by_refresh(struct auth *a, const char *token, size_t len, struct identity *id, struct err *e);

/*
 * Sessions of browsers (doc/AUTH.md, "Browsers"). A session ends with its user's password, by auth_session_end(), and after a time; it gives what
 * the rules give its user.
 *
 * auth_has_sessions   whether there are any: a password file, the page, and a store that can be written
 * auth_session_begin  add the cookie of a new session to out, which the caller wipes, for a user who has just logged in by password:
 *                     NAME_UNKNOWN 404 where there are none, TOOMANYREQUESTS 429 where the user has ended very many, UNAVAILABLE 503
 * auth_session_end    end the session of this cookie; one that is none is no error
 */
#define AUTH_SESSION_SECONDS (12 * 3600)
#define AUTH_SESSION_SKEW 300           /* seconds: the clocks of two machines that share a store */
#define AUTH_SESSION_MAX 1024           /* bytes of a cookie */

bool auth_has_sessions(const struct auth *a, const struct store *st);
int auth_session_begin(struct auth *a, struct store *st, struct identity *id, struct str *out, struct err *e);
int auth_session_end(struct auth *a, struct store *st, const char *cookie, struct err *e);

/* auth_issues_tokens - whether berth is a token service itself */
bool auth_issues_tokens(const struct auth *a);

#define AUTH_TOKEN_SECONDS 300
#define AUTH_REFRESH_SECONDS (365 * 24 * 3600)

/*
 * auth_issue - issue a token (doc/API.md, "Token") with those of the wanted scopes that the rules grant, perhaps none
 * refresh  issue a refresh token too; only for a logged-in user
 * json     gets the answer: token, access_token, expires_in, issued_at, refresh_token
 *
 * Returns 0, or -1: UNAUTHORIZED 401 if a login is required, DENIED 403 if the user logged in by a way for which berth
 * cannot issue tokens (REMOTE_USER), UNAVAILABLE 503.
 */
int auth_issue(struct auth *a, struct identity *id, const struct scopes *want, bool refresh, struct str *json, struct err *e);

/* auth_may - whether the identity has the right in a repository, which need not exist */
bool auth_may(const struct auth *a, const struct identity *id, enum right right, const struct name *n);

/* auth_may_all - whether the identity has the right in every repository */
bool auth_may_all(const struct auth *a, const struct identity *id, enum right right);

/* auth_may_somewhere - whether there may be a repository in which the identity has the right */
bool auth_may_somewhere(const struct auth *a, const struct identity *id, enum right right);

/* auth_is_admin - whether the identity may see the state of the registry and begin a collection; nobody may where nobody can log in */
bool auth_is_admin(const struct auth *a, const struct identity *id);

/* The same for listing a repository: a token for the catalog has no scope to pull, so only the right to pull counts. */
bool auth_may_list(const struct auth *a, const struct identity *id, const struct name *n);
bool auth_may_list_all(const struct auth *a, const struct identity *id);

/*
 * Add to out patterns (base/pattern.h) that match every name for which the predicate is true, so that a caller need not
 * test each repository.
 * auth_may_patterns       for auth_may()
 * auth_may_list_patterns  for auth_may_list(), if auth_may_list_all() is false
 */
void auth_may_patterns(const struct auth *a, const struct identity *id, enum right right, struct names *out);
void auth_may_list_patterns(const struct auth *a, const struct identity *id, struct names *out);

/*
 * Require a right: 0, or -1 with UNAUTHORIZED 401 if a login or another token (id->error) could grant it, else DENIED 403.
 * auth_require          the right in this repository
 * auth_require_login    for /v2/ (doc/API.md, "Base"): a login, if there is any way to log in
 * auth_require_admin    to see and do what only administrators may
 * auth_require_catalog  for /v2/_catalog: to list the repositories that the identity may pull
 * auth_require_source   to mount a blob from this repository. Returns 0 also if the rules deny it: the caller then finds no
 *                       blob there
 */
int auth_require(const struct auth *a, struct identity *id, enum right right, const struct name *n, struct err *e);
int auth_require_login(const struct auth *a, struct identity *id, struct err *e);
int auth_require_admin(const struct auth *a, struct identity *id, struct err *e);
int auth_require_catalog(const struct auth *a, struct identity *id, struct err *e);
int auth_require_source(const struct auth *a, struct identity *id, const struct name *n, struct err *e);

/* auth_challenge - add to out the value of WWW-Authenticate for a 401 */
void auth_challenge(const struct auth *a, const struct challenge *c, struct str *out);

/*
 * auth_first_user - make the htpasswd file that the configuration names if it does not exist, with one user and a random password
 *
 * As registry:2 does it, the log says the password: an event "audit" with the action "first_user". It does so only at a start, and
 * only in a directory that exists and can be written; otherwise nothing happens, and auth_check_config() finds no file.
 */
void auth_first_user(const struct config *cfg);

/*
 * auth_check_config - check the files that the configuration names: htpasswd, robots, keys
 * warn  gets a line for each key that cannot be used, and for each line of htpasswd that is skipped; may be NULL
 * Returns 0, or -1 with a line for each fault in msg.
 */
int auth_check_config(const struct config *cfg, struct str *warn, struct str *msg);

#endif
