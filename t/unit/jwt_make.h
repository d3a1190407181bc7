/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_T_UNIT_JWT_MAKE_H
#define BERTH_T_UNIT_JWT_MAKE_H

/* jwt_make: tokens with any header and any payload, signed as asked for, for the tests that attack jwt. */

#include <stdlib.h>
#include "base/b64.h"
#include "base/str.h"
#include "jose/jwt.h"

#define NOW 1700000000
#define ISS "https://auth.example.com"
#define AUD "registry.example.com"

/* The claims that every valid token here has; others are appended. */
#define GOOD_TIMES "\"exp\":1700000300,\"nbf\":1700000000,\"iat\":1700000000"
#define GOOD "\"iss\":\"" ISS "\",\"aud\":\"" AUD "\"," GOOD_TIMES

/* make_token - header.payload.signature; k NULL: the signature is the text `sig` */
static inline void make_token(struct str *out, const char *header, const char *payload, const struct key *k, enum key_alg alg,
			      const char *sig)
{
	cleanup_str struct str raw = STR_INIT;

	str_reset(out);
	b64_encode(B64_URL, header, strlen(header), out);
	str_addc(out, '.');
	b64_encode(B64_URL, payload, strlen(payload), out);
	if (k && key_sign(k, alg, out->buf, out->len, &raw, NULL) < 0)
		abort();
	str_addc(out, '.');
	if (k)
		b64_encode(B64_URL, raw.buf, raw.len, out);
	else
		str_puts(out, sig ? sig : "");
}

#endif
