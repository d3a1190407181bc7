/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_PWHASH_H
#define BERTH_AUTH_PWHASH_H

/*
 * pwhash: hashes of passwords, by libcrypt. The only place that knows it.
 *
 * bcrypt ($2a$ $2b$ $2y$), yescrypt ($y$), sha512-crypt ($6$), sha256-crypt ($5$). Nothing weaker is taken, nor one that
 * would keep a worker for many seconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

enum pwhash_scheme { PWHASH_BCRYPT, PWHASH_YESCRYPT, PWHASH_SHA512, PWHASH_SHA256, PWHASH_SCHEMES };

#define PWHASH_PASSWORD_MAX 511         /* bytes; bcrypt looks at 72 of them, and so takes no more */

/*
 * pwhash_fault - why a hash can't be taken, as the end of "the hash ..."; NULL where it can. Static text, without
 * anything of the hash in it: it might be a password that somebody forgot to hash.
 */
const char *pwhash_fault(const char *hash, size_t len);

/* Of one without a fault: */
enum pwhash_scheme pwhash_scheme(const char *hash);
const char *pwhash_scheme_name(enum pwhash_scheme scheme);

/* pwhash_cost - the beginning of a hash that says what checking it costs: the same for hashes that cost the same */
size_t pwhash_cost(const char *hash);

/* pwhash_most - how many bytes a password of this scheme may have */
size_t pwhash_most(enum pwhash_scheme scheme);

/*
 * pwhash_check - whether this is the password
 * hash  without a fault. It takes as long for a wrong password as for the right one, and for one that is too long or
 * holds a NUL, which never is the right one.
 */
bool pwhash_check(const char *hash, const char *password, size_t len);

/*
 * pwhash_make - a new hash with a salt of its own, added to out: yescrypt as libcrypt prefers it, or bcrypt of cost 10
 * password  at most pwhash_most() bytes, no NUL. 0, or -1 where libcrypt cannot.
 */
int pwhash_make(enum pwhash_scheme scheme, const char *password, struct str *out);

#endif
