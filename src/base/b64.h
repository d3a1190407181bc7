/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_B64_H
#define BERTH_BASE_B64_H

/*
 * b64: base64 and base64url (RFC 4648), to the letter.
 *
 * There is exactly one text for any bytes in each form: white space, characters of the other alphabet, padding that is
 * missing or too much and last characters with bits that belong to no byte are refused. So two texts that differ
 * never mean the same bytes, and a signature can't be spelled in another way.
 */

#include <stddef.h>
#include "base/str.h"

enum b64_form {
	B64_PADDED,     /* RFC 4648, 4, with its padding: certificates in `x5c`, PEM */
	B64_LOGIN,      /* the same, but the padding may be left out as a whole: what clients send in Authorization */
	B64_URL,        /* RFC 4648, 5, never padded: JOSE (RFC 7515, 2) */
};

/*
 * b64_decode - add the bytes that [s, s+len) means
 * Returns 0, or -1 where it is not of that form, or where the bytes would pass out's max; out is then as it was, but
 * for `over` where it was the max. The result may hold any byte.
 */
int b64_decode(enum b64_form form, const char *s, size_t len, struct str *out);

void b64_encode(enum b64_form form, const void *data, size_t len, struct str *out);

#endif
