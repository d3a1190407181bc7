/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_JOSE_JWKS_H
#define BERTH_JOSE_JWKS_H

/*
 * jwks: the keys whose signatures count, by their names.
 *
 * A set comes from files: a JWK Set (RFC 7517, 5), one JWK, a bundle of PEM certificates and public keys, or a directory of
 * such files. What a set holds that can't be used is left out, and the reason kept for the log.
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
#define JWKS_MAX_KID 512                /* bytes of a name that a JWK gives itself */

struct jwks_key {
	struct key *key;        /* owned */
	char *kid;              /* owned: the name that its JWK gives it; NULL for none */
	size_t kid_len;
	bool has_alg;           /* its JWK says which algorithm it is for */
	enum key_alg alg;
};

struct jwks {
	struct jwks_key *v;             /* owned */
	size_t count, cap;
	struct key_roots *roots;        /* owned; NULL: no x5c is believed */
	struct names skipped;           /* "FILE: key 2: why", in the order of the files; at most JWKS_MAX_NOTES */
};

#define JWKS_INIT { .skipped = NAMES_INIT }

void jwks_release(struct jwks *set);
#define cleanup_jwks __attribute__((cleanup(jwks_release)))

/*
 * jwks_add_path - add the keys of a file, or of the files of a directory (names that begin with a dot are passed over)
 * roots  its certificates, besides being keys, are roots for x5c
 *
 * Returns 0, or -1 with *e, whose `detail` is one line with the file's name: it can't be read, is too long, no key of it
 * can be used, or there are too many. The set may then hold some of the keys: the caller throws it away.
 */
int jwks_add_path(struct jwks *set, const char *path, bool roots, struct err *e);

/* jwks_add_text - the same for the content of one file; `name` is for messages */
int jwks_add_text(struct jwks *set, const char *name, const char *text, size_t len, bool roots, struct err *e);

/* jwks_add_key - add one key; its ownership goes to the set */
int jwks_add_key(struct jwks *set, struct key *k, struct err *e);

/*
 * jwks_find - the key that a token's `kid` names: as its JWK gives it, by RFC 7638, or as libtrust does
 * alg    what it must fit: of several keys of one name the first that does is taken (RFC 7517, 4.5)
 * named  set to whether there is a key of that name at all
 * Borrowed from the set; NULL where there is none.
 */
const struct key *jwks_find(const struct jwks *set, const char *kid, size_t len, enum key_alg alg, bool *named);

#endif
