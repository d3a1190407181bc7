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
	char user[IDENTITY_USER_MAX + 1];       /* of IDENTITY_USER; of a refused login the user it was for, "" if unknown */
	const char *refused;            /* why a login was refused, for the log; static text, or `why` */
	char why[IDENTITY_WHY_MAX];
	bool session;                   /* by a cookie, which a browser adds to whatever a page has it send */
	bool robot;                     /* it has the rights `may` in `repositories`, and those of "@anonymous" */
	unsigned may;                   /* bits of enum right */
	struct names repositories;      /* patterns; owned */
	bool bearer;                    /* it has a token, with or without a user, and no more than `scopes` */
	bool foreign;                   /* the token is a foreign service's: it has `scopes`, whatever the rules say */
	struct scopes scopes;           /* owned */
	const char *error;              /* `error` of the challenge if the token is refused or lacks a scope; static text */
};

#define IDENTITY_INIT { .scopes = SCOPES_INIT }
void identity_release(struct identity *id);

/* identity_refuse - refuse a login; why is for the log, static text. Sets *e to UNAUTHORIZED 401 and returns -1. */
int identity_refuse(struct identity *id, const char *why, struct err *e);

/* identity_set_user - note the user of a login that is not proved yet; 0, or -1 if it is not a valid user name */
int identity_set_user(struct identity *id, const char *user, size_t len);

/* identity_set_robot - the identity is this robot: its login was proved */
void identity_set_robot(struct identity *id, const struct robot *r);

#endif
