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

/* The refused request; all borrowed. */
struct challenge {
	const char *scheme, *host;      /* of the URL that the client has used: "http" or "https", and a valid host; NULL: unknown */
	const char *error;              /* "invalid_token", "insufficient_scope"; NULL: none */
	const struct scopes *scopes;    /* that the request needs; NULL: none in particular */
	const char *space;              /* the name space of the URL that the client has used, for berth's own token service; NULL: none */
	bool password;                  /* the token service itself asks: a password is required, not a token */
};

/*
 * challenge_add - add the value of WWW-Authenticate to out (doc/API.md, "Token")
 *
 * Bearer if berth issues or accepts tokens: the realm is the absolute URL of the token service, by http.host or the
 * request. Basic otherwise, or if the request has no valid host.
 */
void challenge_add(const struct config *cfg, const struct challenge *c, struct str *out);

#endif
