/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWKS_H
#define BERTH_JOSE_JWKS_H

/*
 * jwks: a set of trusted public keys, found by their names.
 *
 * It is read from files: a JWK Set (RFC 7517, 5), one JWK, a bundle of PEM certificates and public keys, or a directory of
 * such files. Keys that cannot be used are left out, and the reasons are kept for the log.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "jose/key.h"
#include "os/dir.h"

#define JWKS_MAX_KEYS 256
#define JWKS_MAX_FILE (1024 * 1024)     /* bytes */
#define JWKS_MAX_FILES 256              /* in a directory */
#define JWKS_MAX_NOTES 64
#define JWKS_MAX_KID 512                /* bytes of the `kid` in a JWK */

struct jwks_key {
	struct key *key;        /* owned */
	char *kid;              /* owned: the `kid` of its JWK; NULL: none */
	size_t kid_len;
	bool has_alg;           /* its JWK restricts it to `alg` */
	enum key_alg alg;
};

struct jwks {
	struct jwks_key *v;             /* owned */
	size_t count, cap;
	struct key_roots *roots;        /* owned; NULL: x5c is not accepted */
	struct names skipped;           /* "FILE: key 2: why", in the order of the files; at most JWKS_MAX_NOTES */
};

#define JWKS_INIT { .skipped = NAMES_INIT }

void jwks_release(struct jwks *set);
#define cleanup_jwks __attribute__((cleanup(jwks_release)))

/*
 * jwks_add_path - add the keys of a file, or of the files of a directory (names that begin with a dot are ignored)
 * roots  its certificates are also trusted roots for x5c
 *
 * Returns 0, or -1 with *e, whose `detail` is one line with the file's name: it cannot be read, is too long, has no usable
 * key, or there are too many. The set may then have some of the keys: the caller discards it.
 */
int jwks_add_path(struct jwks *set, const char *path, bool roots, struct err *e);

/* jwks_add_text - the same for the content of one file; name is for messages */
int jwks_add_text(struct jwks *set, const char *name, const char *text, size_t len, bool roots, struct err *e);

/* jwks_add_key - add one key, which the set then owns; on failure it is closed */
int jwks_add_key(struct jwks *set, struct key *k, struct err *e);

/*
 * jwks_find - the key that a token's `kid` names: the `kid` of its JWK, its RFC 7638 thumbprint, or its libtrust id
 * alg    the algorithm: of several keys with the same name, the first that fits it (RFC 7517, 4.5)
 * named  set to whether any key has that name
 *
 * Returns a key borrowed from the set, or NULL if there is none.
 */
const struct key *jwks_find(const struct jwks *set, const char *kid, size_t len, enum key_alg alg, bool *named);

#endif
