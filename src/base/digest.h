/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_DIGEST_H
#define BERTH_BASE_DIGEST_H

/*
 * digest: the name of content, and its computation (image-spec descriptor.md, "Digests").
 *
 * A struct digest is always well formed, because only parsing and hashing make one. So the store can build a path from it.
 */

#include <stdbool.h>
#include <stddef.h>

enum digest_alg { DIGEST_SHA256, DIGEST_SHA512, DIGEST_ALG_COUNT };

#define DIGEST_HEX_MAX 128
#define DIGEST_TEXT_MAX (7 + DIGEST_HEX_MAX)    /* "sha512:" and the digits */

struct digest {
	enum digest_alg alg;
	char text[DIGEST_TEXT_MAX + 1];         /* "sha256:" and 64 lower-case hex digits, or "sha512:" and 128 */
};

/* digest_parse - 0, or -1 if [s, s+len) is not a digest: another algorithm, length or case */
int digest_parse(struct digest *d, const char *s, size_t len);

/* digest_of_hex - the same from the hex digits alone, which are the name of a directory in the store */
int digest_of_hex(struct digest *d, enum digest_alg alg, const char *hex, size_t len);
bool digest_eq(const struct digest *a, const struct digest *b);
int digest_cmp(const struct digest *a, const struct digest *b);        /* byte order of the text */

const char *digest_alg_name(enum digest_alg alg);                       /* "sha256" */
size_t digest_hex_len(enum digest_alg alg);                             /* 64 */
const char *digest_hex(const struct digest *d);                         /* borrowed from d */

/* digest_bytes - the first `count` bytes that the hex digits stand for; at most half of digest_hex_len() */
void digest_bytes(const struct digest *d, unsigned char *out, size_t count);

/* Hashing. digester_open() returns an owned digester; close sets the pointer to NULL. */
struct digester;
struct digester *digester_open(enum digest_alg alg);
void digester_add(struct digester *h, const void *data, size_t len);
void digester_finish(struct digester *h, struct digest *out);           /* once; after it only close is allowed */
void digester_close(struct digester **h);
#define cleanup_digester __attribute__((cleanup(digester_close)))

#define DIGEST_MAC_LEN 32

/* digest_hmac - HMAC-SHA256 (RFC 2104) of data under a key, as bytes */
void digest_hmac(unsigned char out[DIGEST_MAC_LEN], const void *key, size_t key_len, const void *data, size_t len);

/* The same for many texts under one key: hmac_open does the costly part and copies the key; hmac_close wipes it. */
struct hmac;

struct hmac *hmac_open(const void *key, size_t key_len);
void hmac_of(struct hmac *h, unsigned char out[DIGEST_MAC_LEN], const void *data, size_t len);
void hmac_close(struct hmac **h);

/* digest_of - the digest of [data, data+len) */
void digest_of(struct digest *out, enum digest_alg alg, const void *data, size_t len);

#endif
