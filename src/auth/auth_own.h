/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_AUTH_OWN_H
#define BERTH_AUTH_AUTH_OWN_H

/* auth_own: shared by the files of `auth`. Private to src/auth/auth*.c. */

#include "auth/auth.h"
#include "auth/htpasswd.h"
#include "auth/memo.h"
#include "auth/robots.h"

struct auth {
	const struct config *cfg;
	const struct keyring *keys;     /* NULL: no tokens */
	struct throttle *throttle;
	struct htpasswd *htpasswd;      /* NULL: none is configured */
	struct robots *robots;          /* NULL: none is configured */
	struct hmac *session_key;       /* NULL: it was not needed yet, or there is none */
	struct memo *tokens;            /* whose signature was right, by `keys`; NULL: no tokens */
};

/*
 * auth_stamp - a text that changes with the user's password or the robot's secret; a robot's rights are set in id too
 * why  gets the reason, static text, if the user cannot log in by password: stamp is then empty
 *
 * Returns 1, 0 if the user cannot log in by password, or -1 UNAVAILABLE 503.
 */
int auth_stamp(struct auth *a, struct identity *id, char stamp[HTPASSWD_STAMP_MAX], const char **why, struct err *e);

/* auth_rules_grant - whether the rules, a robot's own rights or a foreign token grant it; scopes are not looked at */
bool auth_rules_grant(const struct auth *a, const struct identity *id, enum right right, const struct name *n);

/* auth_may_try - whether a client's address may try a password now: 0, or -1 TOOMANYREQUESTS with the seconds to wait */
int auth_may_try(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e);

/*
 * The schemes of the table in auth.c. text follows the scheme in the Authorization header, without spaces at its ends; auth_cookie's is the
 * cookie. It leaves the identity IDENTITY_NOBODY where that is none, which is no error.
 */
int auth_basic(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);
int auth_cookie(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);
int auth_bearer(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);

#endif
