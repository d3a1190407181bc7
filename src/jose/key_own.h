/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_KEY_OWN_H
#define BERTH_JOSE_KEY_OWN_H

/* key_own: what the files of `key` share with libcrypto. Private to src/auth/key*.c. */

#include <openssl/evp.h>
#include "jose/key.h"

#define KEY_SHA256_LEN 32
#define KEY_ED25519_LEN 32
#define KEY_COORDINATE_MAX 66   /* bytes of a coordinate on P-521 */

struct key {
	EVP_PKEY *pkey;         /* counted by libcrypto */
	enum key_kind kind;
	bool is_private;
	char thumbprint[44];    /* 32 bytes as base64url */
	char libtrust[60];
};

struct key_curve {
	const char *jose, *group;       /* "P-256" is prime256v1 to libcrypto */
	size_t size;                    /* bytes of a coordinate, and of each half of a signature */
};

/* key_curve - of an EC key's kind; NULL for others */
const struct key_curve *key_curve(enum key_kind kind);

/*
 * key_adopt - a struct key around a public or private key, if it is of a type and size that is taken
 * Takes pkey over, also where it fails; NULL with *e then.
 */
struct key *key_adopt(EVP_PKEY *pkey, bool is_private, struct err *e);

/*
 * key_adopt_configured - the same for a public key from a file: that its numbers can be a key at all is found out too
 * For RSA that takes milliseconds (whether the modulus is a prime, or has small factors): too long for a key that comes
 * with a request, which a certificate vouches for.
 */
struct key *key_adopt_configured(EVP_PKEY *pkey, struct err *e);

/* key_add_members - the members that RFC 7638 hashes, in its order, without spaces: {"crv":...} */
void key_add_members(const struct key *k, struct str *out);

#endif
