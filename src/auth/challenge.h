/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_CHALLENGE_H
#define BERTH_AUTH_CHALLENGE_H

/*
 * challenge: how a client is told to log in (RFC 9110, 11.6.1; RFC 6750, 3). One challenge only: clients take the first that
 * they know, and differ in which that is.
 */

#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "jose/scope.h"

/* Of the request that is refused; all of it borrowed. What a client sends is believed only as far as said here. */
struct challenge {
	const char *scheme;             /* by which the web server was reached: "http" or "https" */
	const char *forwarded;          /* X-Forwarded-Proto; counts only from one of auth.token.proxies; NULL: none */
	const char *remote;             /* the client's address */
	const char *host;               /* the header; one that is no host's name is as none: then there is no URL to give */
	const char *error;              /* "invalid_token", "insufficient_scope"; NULL: none */
	const struct scopes *scopes;    /* what the request needs; NULL: nothing in particular */
	bool password;                  /* a password is wanted, not a token: at the token service itself */
};

/*
 * challenge_add - the value of WWW-Authenticate
 *
 * Bearer where tokens are issued or taken: realm the URL of the token service, absolute, which is the one exception to
 * relative Locations. Else, or where the request names no host, Basic.
 */
void challenge_add(const struct config *cfg, const struct challenge *c, struct str *out);

#endif
