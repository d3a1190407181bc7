/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWT_H
#define BERTH_JOSE_JWT_H

/*
 * jwt: tokens as registries use them: a JSON Web Token (RFC 7519) in compact form, whose `access` names what it grants.
 *
 * Which key verifies is decided here and by what is configured, never by the token (RFC 8725): `kid` chooses among the
 * trusted keys, the algorithm must be one of that key's type; `jwk`, `jku` and `x5u` in a header are not looked at;
 * `x5c` counts only where there are roots and only where `kid` names no trusted key. Nothing of the claims is read before
 * the signature holds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "jose/jwks.h"
#include "jose/key.h"
#include "jose/scope.h"

#define JWT_MAX 32768           /* bytes of a token */
#define JWT_LEEWAY 60           /* seconds that clocks may differ, and a token outlives its end */
#define JWT_TEXT_MAX 1024       /* bytes of iss, aud, sub, jti, each */
#define JWT_MAX_AUDIENCES 64
#define JWT_MAX_ACTIONS 16      /* in one entry of `access`; entries: SCOPES_MAX */
#define JWT_MAX_TIME INT64_C(253402300799)      /* the end of the year 9999 */

struct jwt {
	char *iss, *aud, *sub, *jti, *typ;      /* owned; NULL where there is none. No control characters in them */
	int64_t iat, nbf, exp;                  /* seconds since the epoch; iat and nbf -1 where there is none */
	struct scopes access;
};

#define JWT_INIT { .iat = -1, .nbf = -1, .exp = -1, .access = SCOPES_INIT }

void jwt_release(struct jwt *t);
#define cleanup_jwt __attribute__((cleanup(jwt_release)))

struct jwt_trust {
	const struct jwks *keys;
	const char *iss;        /* the issuer, to the letter; never empty */
	const char *aud;        /* the service: `aud` must be it or a list with it; never empty */
	const char *typ;        /* what `typ` in the header must be; NULL: it is not looked at (foreign services differ in it) */
};

/*
 * jwt_verify - read a token and find out whether it holds at the time `now` (seconds since the epoch)
 *
 * 0, and out has its claims: `aud` is then the service, `sub` the user ("" or NULL: nobody is logged in), `access` what
 * it grants. -1 with *e: UNAUTHORIZED (error="invalid_token" in the challenge), `detail` says what is wrong with the token; it
 * quotes nothing but names of members and times.
 *
 * `exp` is required, `nbf` and `iat` are not; all are whole numbers. Entries of `access` with a type that is not known
 * are left out, as are actions that are not known; malformed ones make the token void, and so does more than the limits.
 */
int jwt_verify(const char *token, size_t len, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e);

/* jwt_begin - what every new token has: iss, aud, sub (NULL: none), a random jti, iat and nbf now, exp `lifetime` later */
void jwt_begin(struct jwt *t, const char *iss, const char *aud, const char *sub, int64_t now, uint32_t lifetime);

/*
 * jwt_sign - add the token with these claims to out
 * k    private; it decides the algorithm
 * kid  NULL: the key's RFC 7638 thumbprint; registry:2 as a verifier wants key_libtrust_id(k)
 *
 * `typ` is "JWT" where t has none. A service that signs tokens for several uses with one key tells them apart by it.
 * Returns 0, or -1 with *e (UNKNOWN) where the token would be longer than JWT_MAX or the key can't sign.
 */
int jwt_sign(const struct jwt *t, const struct key *k, const char *kid, struct str *out, struct err *e);

/* jwt_issued_at - `issued_at` of a token service's answer: iat as RFC 3339 */
void jwt_issued_at(const struct jwt *t, struct str *out);

#endif
