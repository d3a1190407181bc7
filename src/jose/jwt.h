/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWT_H
#define BERTH_JOSE_JWT_H

/*
 * jwt: tokens as registries use them: a JSON Web Token (RFC 7519) in compact form, whose claim `access` lists scopes.
 *
 * The configuration decides which key verifies a token, never the token (RFC 8725): `kid` selects one of the trusted
 * keys, and the algorithm must be one for that key's type. `jwk`, `jku` and `x5u` in a header are ignored. `x5c` counts
 * only if there are trusted roots and `kid` names no trusted key. The claims are not parsed before the signature is
 * verified.
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
#define JWT_LEEWAY 60           /* seconds that clocks may differ: a token is valid that much longer */
#define JWT_TEXT_MAX 1024       /* bytes of iss, aud, sub, jti, each */
#define JWT_MAX_AUDIENCES 64
#define JWT_MAX_ACTIONS 16      /* in one entry of `access`; entries: SCOPES_MAX */
#define JWT_MAX_TIME INT64_C(253402300799)      /* the end of the year 9999 */

struct jwt {
	char *iss, *aud, *sub, *jti, *typ;      /* owned; NULL if absent; without control characters */
	int64_t iat, nbf, exp;                  /* seconds since the epoch; iat and nbf -1 if absent */
	struct scopes access;
};

#define JWT_INIT { .iat = -1, .nbf = -1, .exp = -1, .access = SCOPES_INIT }

void jwt_release(struct jwt *t);
#define cleanup_jwt __attribute__((cleanup(jwt_release)))

/*
 * Tokens whose signature was right. A client sends one token with many requests, and most of the time of a verification goes into
 * the signature; everything else is checked each time. The memory must be for one set of keys.
 */
struct jwt_memory {
	void *arg;
	bool (*has)(void *arg, const char *token, size_t len);
	void (*add)(void *arg, const char *token, size_t len);
};

struct jwt_trust {
	const struct jwks *keys;
	const char *iss;        /* the issuer, which must match exactly; never empty */
	const char *aud;        /* the service: `aud` must be it or a list that contains it; never empty */
	const char *typ;        /* the required `typ` of the header; NULL: any (foreign services differ in it) */
	const struct jwt_memory *memory;        /* NULL: each signature is computed */
};

/*
 * jwt_verify - parse a token and check that it is valid at the time `now` (seconds since the epoch)
 *
 * Returns 0 with the claims in out: `aud` is then the service, `sub` the user ("" or NULL: not logged in), `access` the
 * scopes. Or -1 with *e: UNAUTHORIZED (error="invalid_token" in the challenge); `detail` says what is wrong with the
 * token and quotes only names of members and times.
 *
 * `exp` is required, `nbf` and `iat` are optional; all are whole numbers. Entries of `access` with an unknown type and
 * unknown actions are left out. A malformed entry makes the token invalid, and so does exceeding a limit.
 */
int jwt_verify(const char *token, size_t len, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e);

/* jwt_begin - set the common claims: iss, aud, sub (NULL: none), a random jti, iat and nbf now, exp `lifetime` seconds later */
void jwt_begin(struct jwt *t, const char *iss, const char *aud, const char *sub, int64_t now, uint32_t lifetime);

/*
 * jwt_sign - add the token with these claims to out
 * k    private; it determines the algorithm
 * kid  NULL: the key's RFC 7638 thumbprint; registry:2 as a verifier needs key_libtrust_id(k)
 *
 * `typ` is "JWT" if t has none. A service that signs tokens for several uses with one key distinguishes them by `typ`.
 * Returns 0, or -1 with *e (UNKNOWN) if the token would be longer than JWT_MAX or the key cannot sign.
 */
int jwt_sign(const struct jwt *t, const struct key *k, const char *kid, struct str *out, struct err *e);

/* jwt_issued_at - add to out iat as RFC 3339, for `issued_at` in the answer of a token service */
void jwt_issued_at(const struct jwt *t, struct str *out);

#endif
