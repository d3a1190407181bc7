/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_KEY_OWN_H
#define BERTH_JOSE_KEY_OWN_H

/* key_own: what the files of `key` share: libcrypto's types. Private to src/jose/key*.c. */

#include <openssl/evp.h>
#include "jose/key.h"

#define KEY_SHA256_LEN 32
#define KEY_ED25519_LEN 32
#define KEY_COORDINATE_MAX 66   /* bytes of a coordinate on P-521 */

struct key {
	EVP_PKEY *pkey;         /* owned; libcrypto counts references */
	enum key_kind kind;
	bool is_private;
	char thumbprint[44];    /* 32 bytes as base64url */
	char libtrust[60];
};

struct key_curve {
	const char *jose, *group;       /* "P-256" is prime256v1 to libcrypto */
	size_t size;                    /* bytes of a coordinate, and of each half of a signature */
};

/* key_curve - the curve of an EC kind; NULL for other kinds */
const struct key_curve *key_curve(enum key_kind kind);

/*
 * key_adopt - make a struct key of a public or private key of a supported type and size; owned, or NULL with *e
 * The ownership of pkey passes to it, also if it fails.
 */
struct key *key_adopt(EVP_PKEY *pkey, bool is_private, struct err *e);

/*
 * key_adopt_configured - the same for a public key from a file: also checks that its numbers are valid
 * For RSA this takes milliseconds (is the modulus prime, does it have small factors): too long for the key of a
 * certificate that comes with a request, and not needed for it: a trusted issuer signed it.
 */
struct key *key_adopt_configured(EVP_PKEY *pkey, struct err *e);

/* key_add_members - add to out the members that RFC 7638 hashes, in its order, without spaces: {"crv":...} */
void key_add_members(const struct key *k, struct str *out);

#endif
