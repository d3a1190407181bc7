/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_KEY_H
#define BERTH_JOSE_KEY_H

/*
 * key: public and private keys, signatures in JOSE's form (RFC 7515, 7518, 8037), and chains of certificates.
 *
 * Libcrypto stays behind this header. A key is RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519; there
 * is no way to get another one, nor a symmetric one. Each algorithm belongs to exactly one type of key, so that the
 * header of a token can't make one key pass for another (RFC 8725, 3.1).
 *
 * Errors are UNKNOWN with a `detail` that says in a few words what is wrong with the key, for a line of the log that
 * begins with the file's name; never any of its private material.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define KEY_RSA_MIN_BITS 2048
#define KEY_RSA_MAX_BITS 8192   /* what a signature may cost to verify */
#define KEY_SIGNATURE_MAX (KEY_RSA_MAX_BITS / 8)
#define KEY_FILE_MAX 16384      /* bytes in the file of a private key */
#define KEY_CHAIN_MAX 8         /* certificates in one x5c */

enum key_kind { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

enum key_alg { KEY_EDDSA, KEY_ES256, KEY_ES384, KEY_ES512, KEY_RS256, KEY_RS384, KEY_RS512, KEY_PS256, KEY_ALG_COUNT };

struct key;                     /* does not change once it is there */

void key_close(struct key **k);
#define cleanup_key __attribute__((cleanup(key_close)))
struct key *key_share(const struct key *k);     /* the same key for a second owner */

enum key_kind key_kind(const struct key *k);
bool key_is_private(const struct key *k);
const char *key_thumbprint(const struct key *k);        /* RFC 7638, SHA-256, base64url; borrowed from k */

/*
 * key_libtrust_id - the name that registry:2 knows a key by: "ABCD:EFGH:...", twelve groups of base32; borrowed from k
 * The first 240 bits of the SHA-256 of its SubjectPublicKeyInfo in DER.
 */
const char *key_libtrust_id(const struct key *k);

/* Algorithms by their names in JOSE, to the letter; 0, or -1 for any other, "none" and HS256 among them */
int key_alg_parse(const char *s, size_t len, enum key_alg *out);
const char *key_alg_name(enum key_alg alg);
bool key_fits(const struct key *k, enum key_alg alg);
enum key_alg key_default_alg(const struct key *k);      /* what it signs with: EdDSA, ES*, RS256 */

/* key_verify - whether sig is the key's signature of data; false too where the algorithm is not for this key */
bool key_verify(const struct key *k, enum key_alg alg, const void *data, size_t len, const void *sig, size_t siglen);

/* key_sign - add the signature to sig; k is private and fits alg */
int key_sign(const struct key *k, enum key_alg alg, const void *data, size_t len, struct str *sig, struct err *e);

/*
 * The public keys in PEM text: those of certificates (whose names, dates and issuer are not looked at: who configured
 * them trusts the keys) and of PUBLIC KEY blocks. The text is borrowed until the reader is closed.
 *
 * key_pem_next - 1 and the next key, owned by the caller; 0 at the end; -1 with *e for a block that gives none (private
 * keys among them: they don't belong there). After -1 one may go on with the next block.
 */
struct key_pem;
struct key_pem *key_pem_open(const char *text, size_t len);
int key_pem_next(struct key_pem *p, struct key **out, struct err *e);
void key_pem_close(struct key_pem **p);
#define cleanup_key_pem __attribute__((cleanup(key_pem_close)))

/*
 * key_from_jwk - the public key of a JSON Web Key (RFC 7517, 7518 section 6, 8037); owned, or NULL with *e
 * `use` must be "sig" and `key_ops` name "verify" where they are there. Private members are not looked at, nor is x5c.
 */
struct key *key_from_jwk(struct json_object *jwk, struct err *e);
void key_add_jwk(const struct key *k, struct str *out);         /* the public JWK with kid (RFC 7638), as JSON */
void key_add_pem(const struct key *k, struct str *out);         /* the public key as PEM */

/* Trusted roots, and keys that a chain of certificates vouches for. */
struct key_roots;
struct key_roots *key_roots_open(void);
void key_roots_close(struct key_roots **r);
#define cleanup_key_roots __attribute__((cleanup(key_roots_close)))
int key_roots_add_pem(struct key_roots *r, const char *text, size_t len);       /* how many certificates were added */

/*
 * key_from_x5c - the key of the first certificate of an x5c (RFC 7515, 4.1.6: base64 of DER, the leaf first)
 * now  the time at which all of the chain must be valid
 *
 * The chain ends at one of the roots (any certificate that was added counts as one, as with registry:2), each issuer may
 * sign certificates, lengths of paths and name constraints hold, every key and digest is worth 112 bits, and the
 * leaf may sign. Owned, or NULL with *e.
 */
struct key *key_from_x5c(const struct key_roots *r, struct json_object *x5c, int64_t now, struct err *e);

/* key_make - a new private key, KEY_ED25519 or KEY_P256; owned */
struct key *key_make(enum key_kind kind);

/*
 * key_load - read a private key, PEM without a passphrase; owned, or NULL with *e, which names the path in `detail`
 * Refused where others may read or change the file (mode & 0027).
 */
struct key *key_load(const char *path, struct err *e);

/*
 * key_load_or_make - the private key at path, made at first use
 *
 * Of several processes and machines that start at once on one file system all get the same key: each writes its own to
 * another name and link(2)s it to path, and who comes late takes what is there. The file is 0600, and whole and on
 * disk before it has its name. A file that is there but can't be read is an error and stays as it is.
 */
struct key *key_load_or_make(const char *path, enum key_kind kind, struct err *e);

#endif
