/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_AUTH_H
#define BERTH_AUTH_AUTH_H

/*
 * auth: who is it, and may they?
 *
 * Two steps. auth_identify() makes an identity of what a request brings: one function for each way to log in, found by
 * the scheme of the Authorization header in one table. auth_may() asks the rules about that identity. Whoever adds a
 * way to log in adds a row to that table, and what it has to say about rights to the identity.
 */

#include <stdbool.h>
#include <stddef.h>
#include "auth/throttle.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "conf/config.h"

#define AUTH_USER_MAX 255               /* bytes */

/* What a request brings; all of it borrowed. */
struct credentials {
	const char *authorization;      /* the header's values, joined; NULL: none */
	const char *remote_user;        /* whom the web server names by REMOTE_USER; NULL or "": nobody */
	const char *remote;             /* the client's address */
};

enum identity_kind { IDENTITY_NOBODY, IDENTITY_USER };

struct identity {
	enum identity_kind kind;
	char user[AUTH_USER_MAX + 1];   /* of IDENTITY_USER; of a refused login the user that it was for, if there is one */
	const char *refused;            /* why a login was refused, for the log; static text */
};

struct auth;

/* auth_open - for one process, after fork; cfg and t are borrowed, t may be NULL */
struct auth *auth_open(const struct config *cfg, struct throttle *t);
void auth_close(struct auth **a);

/* auth_on - whether rights are asked for at all */
bool auth_on(const struct auth *a);

/*
 * auth_identify - who it is. No credentials: nobody, which is no error.
 * retry_after  gets the seconds to wait where the answer is 429, else 0
 *
 * Returns 0, or -1: UNAUTHORIZED 401 for credentials that are wrong or malformed, TOOMANYREQUESTS 429, UNAVAILABLE 503.
 */
int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e);

/* auth_may - whether they may do this there; says nothing of whether the repository exists */
bool auth_may(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n);

/* auth_may_all - whether they may do this in every repository */
bool auth_may_all(const struct auth *a, const struct identity *id, enum config_right right);

/*
 * Whether they may go on: 0, or -1 with UNAUTHORIZED 401, where a login could change it, else DENIED 403.
 * auth_require          to do this there
 * auth_require_login    to learn that this is a registry: be logged in, wherever there is a way to
 * auth_require_catalog  to list repositories, of those that they may pull
 */
int auth_require(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n, struct err *e);
int auth_require_login(const struct auth *a, const struct identity *id, struct err *e);
int auth_require_catalog(const struct auth *a, const struct identity *id, struct err *e);

/* auth_challenge - the value of WWW-Authenticate beside a 401 (RFC 9110, 11.6.1) */
void auth_challenge(const struct auth *a, struct str *out);

/*
 * auth_check_config - what can only be seen by reading files that the configuration names
 * Returns 0, or -1 with a line a fault in msg.
 */
int auth_check_config(const struct config *cfg, struct str *msg);

#endif
