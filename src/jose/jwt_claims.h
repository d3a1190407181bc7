/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWT_CLAIMS_H
#define BERTH_JOSE_JWT_CLAIMS_H

/* jwt_claims: the payload of a token. Private to src/auth/jwt*.c. */

#include "jose/jwt.h"

/* jwt_refuse - what is wrong with a token: sets *e to UNAUTHORIZED, returns -1 */
int jwt_refuse(struct err *e, const char *why);

/*
 * jwt_object - the JSON object that a part of a token is, base64url; owned, or NULL with *e
 * part  "header" or "payload", for the message
 */
struct json_object *jwt_object(const char *s, size_t len, const char *part, struct err *e);

/* jwt_text_ok - whether a text is one that a claim may be: at most JWT_TEXT_MAX bytes, no control characters */
bool jwt_text_ok(const char *s, size_t len);

/*
 * jwt_text - a member that is text: a copy, NULL where it is absent
 * Returns 0, or -1 with *e where it is no string, longer than JWT_TEXT_MAX, or has control characters.
 */
int jwt_text(struct json_object *o, const char *name, char **out, struct err *e);

/* jwt_read_claims - the claims, checked against trust and now as jwt_verify says; 0, or -1 with *e */
int jwt_read_claims(struct json_object *payload, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e);

#endif
