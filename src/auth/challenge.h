/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_CHALLENGE_H
#define BERTH_AUTH_CHALLENGE_H

/*
 * challenge: the value of WWW-Authenticate (RFC 9110, 11.6.1; RFC 6750, 3). It is a single challenge: of several, clients
 * use the first that they know, and they differ in which that is.
 */

#include <stdbool.h>
#include "base/str.h"
#include "conf/config.h"
#include "jose/scope.h"

/* The refused request; all borrowed. What a client sends is trusted only as far as said here. */
struct challenge {
	const char *scheme;             /* by which the web server was reached: "http" or "https" */
	const char *forwarded;          /* X-Forwarded-Proto; counts only from one of auth.token.proxies; NULL: none */
	const char *remote;             /* the client's address */
	const char *host;               /* the Host header; if it is not a valid host, there is no URL to give */
	const char *error;              /* "invalid_token", "insufficient_scope"; NULL: none */
	const struct scopes *scopes;    /* that the request needs; NULL: none in particular */
	bool password;                  /* the token service itself asks: a password is required, not a token */
};

/*
 * challenge_add - add the value of WWW-Authenticate to out (doc/API.md, "Token")
 *
 * Bearer if berth issues or accepts tokens: the realm is the absolute URL of the token service (all other URLs that berth
 * sends are relative). Basic otherwise, or if the request has no valid host.
 */
void challenge_add(const struct config *cfg, const struct challenge *c, struct str *out);

#endif
