/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWT_CLAIMS_H
#define BERTH_JOSE_JWT_CLAIMS_H

/* jwt_claims: the JSON of a token, and the claims in its payload. Private to src/jose/jwt*.c. */

#include "jose/jwt.h"

/* jwt_refuse - refuse a token: sets *e to UNAUTHORIZED and returns -1 */
int jwt_refuse(struct err *e, const char *why);

/*
 * jwt_object - the JSON object of a part of a token, from base64url; owned, or NULL with *e
 * part  "header" or "payload", for the message
 */
struct json_object *jwt_object(const char *s, size_t len, const char *part, struct err *e);

/* jwt_text_ok - whether a claim may have this text: at most JWT_TEXT_MAX bytes, no control characters */
bool jwt_text_ok(const char *s, size_t len);

/*
 * jwt_text - copy a text member to *out; NULL if it is absent
 * Returns 0, or -1 with *e if it is not a string, is longer than JWT_TEXT_MAX, or has control characters.
 */
int jwt_text(struct json_object *o, const char *name, char **out, struct err *e);

/* jwt_read_claims - read the claims and check them as jwt_verify() does; 0, or -1 with *e */
int jwt_read_claims(struct json_object *payload, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e);

#endif
