/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_B64_H
#define BERTH_BASE_B64_H

/*
 * b64: strict base64 and base64url (RFC 4648).
 *
 * Each form has exactly one text for any bytes: white space, characters of the other alphabet, missing or excess padding, and
 * unused bits in the last character are errors. So two different texts never mean the same bytes, and a signature has only
 * one spelling.
 */

#include <stddef.h>
#include "base/str.h"

enum b64_form {
	B64_PADDED,     /* RFC 4648, 4, with its padding: certificates in `x5c`, PEM */
	B64_LOGIN,      /* the same, or without all of its padding: what clients send in Authorization */
	B64_URL,        /* RFC 4648, 5, never padded: JOSE (RFC 7515, 2) */
};

/*
 * b64_decode - add the bytes that [s, s+len) encodes
 * Returns 0, or -1 if the text is not of that form or the bytes would exceed out's max. Then out is unchanged, except that
 * `over` is set in the second case. The bytes may have any value, NUL too.
 */
int b64_decode(enum b64_form form, const char *s, size_t len, struct str *out);

/* b64_encode - add the text of [data, data+len) */
void b64_encode(enum b64_form form, const void *data, size_t len, struct str *out);

#endif
