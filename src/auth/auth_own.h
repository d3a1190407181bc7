/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_AUTH_OWN_H
#define BERTH_AUTH_AUTH_OWN_H

/* auth_own: what the files of `auth` share. Private to src/auth/auth*.c. */

#include "auth/auth.h"
#include "auth/htpasswd.h"

struct auth {
	const struct config *cfg;
	const struct keyring *keys;     /* NULL: no tokens */
	struct throttle *throttle;
	struct htpasswd *htpasswd;      /* NULL: none is configured */
};

/* auth_refuse - a login is refused, and why, for the log: sets *e to UNAUTHORIZED, returns -1 */
int auth_refuse(struct identity *id, const char *why, struct err *e);

/* auth_set_user - a request to log in as this user, of whom nothing is proved yet; 0, or -1 where no user is called so */
int auth_set_user(struct identity *id, const char *user, size_t len);

/* auth_bearer - the way to log in by a token; see the table in auth.c */
int auth_bearer(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);

#endif
