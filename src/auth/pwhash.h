/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_PWHASH_H
#define BERTH_AUTH_PWHASH_H

/*
 * pwhash: password hashes. libcrypt is used here alone.
 *
 * Accepted are bcrypt ($2a$ $2b$ $2y$), yescrypt ($y$), sha512-crypt ($6$) and sha256-crypt ($5$): nothing weaker, and no
 * hash whose check would take many seconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

enum pwhash_scheme { PWHASH_BCRYPT, PWHASH_YESCRYPT, PWHASH_SHA512, PWHASH_SHA256, PWHASH_SCHEMES };

#define PWHASH_PASSWORD_MAX 511         /* bytes; 72 with bcrypt, which ignores the rest */

/*
 * pwhash_fault - why a hash is refused, as the end of "the hash ..."; NULL if it is accepted. Static text that repeats
 * nothing of the hash, which may be a password that somebody forgot to hash.
 */
const char *pwhash_fault(const char *hash, size_t len);

/*
 * pwhash_is_foreign - whether a refused hash is a whole one of another scheme, such as MD5 or SHA-1: not one that was cut off
 * while somebody wrote it, and no password in clear
 */
bool pwhash_is_foreign(const char *hash);

/* For an accepted hash: */
enum pwhash_scheme pwhash_scheme(const char *hash);
const char *pwhash_scheme_name(enum pwhash_scheme scheme);

/* pwhash_cost - the length of the prefix that determines the cost of a check: hashes with the same prefix cost the same */
size_t pwhash_cost(const char *hash);

/* pwhash_most - the most bytes that a password may have */
size_t pwhash_most(enum pwhash_scheme scheme);

/*
 * pwhash_check - whether this is the password
 * hash  accepted by pwhash_fault()
 *
 * Each answer takes the same time. A password that is too long or has a NUL is wrong.
 */
bool pwhash_check(const char *hash, const char *password, size_t len);

/*
 * pwhash_make - add a new hash with a random salt to out: yescrypt with libcrypt's defaults, or bcrypt of cost 10
 * password  at most pwhash_most() bytes, no NUL
 * Returns 0, or -1 if libcrypt fails.
 */
int pwhash_make(enum pwhash_scheme scheme, const char *password, struct str *out);

#endif
