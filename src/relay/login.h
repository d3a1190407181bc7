/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_LOGIN_H
#define BERTH_RELAY_LOGIN_H

/* login: what an upstream says about how to log in, and what a token service answers (RFC 9110, 11.6; the token authentication of distribution). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define LOGIN_REALM_MAX 2048
#define LOGIN_SERVICE_MAX 512
#define LOGIN_SCOPE_MAX 1024
#define LOGIN_TOKEN_MAX 16384

enum login_kind { LOGIN_NONE, LOGIN_BASIC, LOGIN_BEARER };

struct login_challenge {
	enum login_kind kind;
	struct str realm, service, scope;       /* of LOGIN_BEARER; "": not given */
};

#define LOGIN_CHALLENGE_INIT { .realm = STR_INIT, .service = STR_INIT, .scope = STR_INIT }
void login_challenge_release(struct login_challenge *c);
#define cleanup_challenge __attribute__((cleanup(login_challenge_release)))

/*
 * login_challenge_add - read one header WWW-Authenticate, which may have several challenges; the better one of this and earlier headers counts,
 *                       Bearer before Basic, and of two the first
 * What is malformed or too long counts for nothing.
 */
void login_challenge_add(struct login_challenge *c, const char *header);

/*
 * login_realm - the absolute URL of a realm, which may be relative to that of the registry
 * False if it is none of http or https.
 */
bool login_realm(const char *realm, const char *registry, struct str *out);

/*
 * login_token - read the answer of a token service
 * token    a secret; gets the token, which is fit for a header
 * seconds  how long it is valid: what the answer says, within 60 and 3600
 * False if there is no usable token.
 */
bool login_token(const char *body, size_t len, struct str *token, uint64_t *seconds);

#endif
