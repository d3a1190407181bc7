/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_KEY_H
#define BERTH_JOSE_KEY_H

/*
 * key: public and private keys, signatures in JOSE's form (RFC 7515, 7518, 8037), and certificate chains.
 *
 * This header hides libcrypto. A key is RSA of 2048 to 8192 bits, EC on P-256, P-384 or P-521, or Ed25519; no other type
 * can be read or made, and no symmetric key. Each algorithm belongs to exactly one type of key, so the header of a token
 * cannot make a key be used as one of another type (RFC 8725, 3.1).
 *
 * Errors are UNKNOWN with a `detail` that says in a few words what is wrong with the key, for a log line that begins with
 * the file's name; it never has private key material.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

#define KEY_RSA_MIN_BITS 2048
#define KEY_RSA_MAX_BITS 8192   /* bounds the cost of verifying */
#define KEY_SIGNATURE_MAX (KEY_RSA_MAX_BITS / 8)
#define KEY_FILE_MAX 16384      /* bytes in the file of a private key */
#define KEY_CHAIN_MAX 8         /* certificates in one x5c */

enum key_kind { KEY_RSA, KEY_P256, KEY_P384, KEY_P521, KEY_ED25519 };

enum key_alg { KEY_EDDSA, KEY_ES256, KEY_ES384, KEY_ES512, KEY_RS256, KEY_RS384, KEY_RS512, KEY_PS256, KEY_ALG_COUNT };

struct key;                     /* immutable */

void key_close(struct key **k);
#define cleanup_key __attribute__((cleanup(key_close)))
struct key *key_share(const struct key *k);     /* the same key for a second owner */

enum key_kind key_kind(const struct key *k);
bool key_is_private(const struct key *k);
const char *key_thumbprint(const struct key *k);        /* RFC 7638, SHA-256, base64url; borrowed from k */

/*
 * key_libtrust_id - the key id of registry:2: "ABCD:EFGH:...", twelve groups of base32; borrowed from k
 * It is the first 240 bits of the SHA-256 of the SubjectPublicKeyInfo in DER.
 */
const char *key_libtrust_id(const struct key *k);

/* Algorithms by their exact names in JOSE; 0, or -1 for any other, such as "none" or "HS256" */
int key_alg_parse(const char *s, size_t len, enum key_alg *out);
const char *key_alg_name(enum key_alg alg);
bool key_fits(const struct key *k, enum key_alg alg);
enum key_alg key_default_alg(const struct key *k);      /* for signing: EdDSA, ES*, RS256 */

/* key_verify - whether sig is the key's signature of data; false also if the algorithm does not fit the key */
bool key_verify(const struct key *k, enum key_alg alg, const void *data, size_t len, const void *sig, size_t siglen);

/* key_sign - add the signature of data to sig; k must be private and fit alg */
int key_sign(const struct key *k, enum key_alg alg, const void *data, size_t len, struct str *sig, struct err *e);

/*
 * The public keys in PEM text: of PUBLIC KEY blocks, and of certificates, whose names, dates and issuers are ignored: the
 * operator who configured them trusts their keys. The text is borrowed until the reader is closed.
 *
 * key_pem_next - 1 and the next key, owned by the caller; 0 at the end; -1 with *e for a block without a usable public key,
 * such as a private key. After -1 the caller may continue with the next block.
 */
struct key_pem;
struct key_pem *key_pem_open(const char *text, size_t len);
int key_pem_next(struct key_pem *p, struct key **out, struct err *e);
void key_pem_close(struct key_pem **p);
#define cleanup_key_pem __attribute__((cleanup(key_pem_close)))

/*
 * key_from_jwk - the public key of a JSON Web Key (RFC 7517, 7518 section 6, 8037); owned, or NULL with *e
 * If present, `use` must be "sig" and `key_ops` must include "verify". Private members and x5c are ignored.
 */
struct key *key_from_jwk(struct json_object *jwk, struct err *e);
void key_add_jwk(const struct key *k, struct str *out);         /* the public JWK with kid (RFC 7638), as JSON */
void key_add_pem(const struct key *k, struct str *out);         /* the public key as PEM */

/* Trusted root certificates. */
struct key_roots;
struct key_roots *key_roots_open(void);
void key_roots_close(struct key_roots **r);
#define cleanup_key_roots __attribute__((cleanup(key_roots_close)))
int key_roots_add_pem(struct key_roots *r, const char *text, size_t len);       /* the number of certificates added */

/*
 * key_from_x5c - the key of the leaf, the first certificate of an x5c (RFC 7515, 4.1.6: base64 of DER)
 * now  seconds since the epoch: when the whole chain must be valid
 *
 * The chain must end at one of the roots (any certificate that was added, as with registry:2). Each issuer must be allowed
 * to sign certificates, path lengths and name constraints must be met, every key and digest must have 112 bits of
 * security, and the leaf must be allowed to sign. Owned, or NULL with *e.
 */
struct key *key_from_x5c(const struct key_roots *r, struct json_object *x5c, int64_t now, struct err *e);

/* key_make - a new private key, KEY_ED25519 or KEY_P256; owned */
struct key *key_make(enum key_kind kind);

/*
 * key_load - read a private key in PEM without a passphrase; owned, or NULL with *e, whose `detail` names the path
 * A file that the group may write or others may access (mode & 0027) is refused.
 */
struct key *key_load(const char *path, struct err *e);

/*
 * key_load_or_make - read the private key at path; create it if there is none
 *
 * If several processes or machines start at once on one file system, all get the same key: each writes a key under a
 * temporary name and link(2)s it to path; if path exists by then, that key is used. The file has mode 0600, and is complete
 * and flushed before it gets its name. A file that cannot be read is an error and is not changed.
 */
struct key *key_load_or_make(const char *path, enum key_kind kind, struct err *e);

#endif
