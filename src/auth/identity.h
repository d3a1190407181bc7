/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_IDENTITY_H
#define BERTH_AUTH_IDENTITY_H

/* identity: what a request's credentials prove: a user, a robot, a token, or nothing. */

#include <stdbool.h>
#include <stddef.h>
#include "auth/htpasswd_file.h"
#include "auth/robots.h"
#include "base/err.h"
#include "jose/scope.h"
#include "os/dir.h"

#define IDENTITY_USER_MAX HTPASSWD_USER_MAX     /* bytes */
#define IDENTITY_WHY_MAX 128

enum identity_kind { IDENTITY_NOBODY, IDENTITY_USER };

struct identity {
	enum identity_kind kind;
	char user[IDENTITY_USER_MAX + 1];   /* of IDENTITY_USER; of a refused login the user that it was for, if there is one */
	const char *refused;            /* why a login was refused, for the log; static text, or `why` */
	char why[IDENTITY_WHY_MAX];
	bool robot;                     /* with rights of its own, and no others but everybody's: */
	unsigned may;                   /* enum right, added up */
	struct names repositories;      /* in what these patterns mean; owned */
	bool bearer;                    /* by a token, which may be nobody's: no more than `scopes` */
	bool foreign;                   /* of a service elsewhere: `scopes`, whatever the rules say */
	struct scopes scopes;           /* owned */
	const char *error;              /* of a token that is refused or does not do, for the challenge; static text */
};

#define IDENTITY_INIT { .scopes = SCOPES_INIT }
void identity_release(struct identity *id);

/* identity_refuse - a login is refused, and why, for the log: sets *e to UNAUTHORIZED, returns -1 */
int identity_refuse(struct identity *id, const char *why, struct err *e);

/* identity_set_user - a request to log in as this user, of whom nothing is proved yet; 0, or -1 where no user is called so */
int identity_set_user(struct identity *id, const char *user, size_t len);

/* identity_set_robot - the login of this robot is proved */
void identity_set_robot(struct identity *id, const struct robot *r);

#endif
