/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_DIGESTSET_H
#define BERTH_BASE_DIGESTSET_H

/*
 * digestset: a set of digests in little memory: 50 to 100 bytes for each.
 *
 * It stores the first 256 bits of a digest, which is all of a sha256 digest. Two sha512 digests with the same first 256 bits
 * count as equal. Nobody can make two contents with such digests, but a manifest may name such a digest without content.
 *
 * The slot of a digest depends on a secret of this process, so a client cannot choose digests that make the set slow.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "base/str.h"

#define DIGESTSET_KEY 32

struct digestset {
	struct {
		unsigned char (*keys)[DIGESTSET_KEY];   /* a free slot is all zeros, so that a search reads no other memory */
		bool zero;                              /* the set contains the digest that is all zeros, which has no slot */
		size_t count, cap;      /* cap is 0 or a power of two; count: used slots */
	} of[DIGEST_ALG_COUNT];
};

#define DIGESTSET_INIT { 0 }

void digestset_release(struct digestset *s);
#define cleanup_digestset __attribute__((cleanup(digestset_release)))

void digestset_add(struct digestset *s, const struct digest *d);
bool digestset_has(const struct digestset *s, const struct digest *d);
size_t digestset_count(const struct digestset *s);

/*
 * digestset_write - add all digests to out as bytes, for digestset_read in a process of the same program
 * digestset_size  - the number of these bytes
 * digestset_read  - add the digests of such bytes; 0, or -1 if they are invalid, with nothing added
 */
void digestset_write(const struct digestset *s, struct str *out);
size_t digestset_size(const struct digestset *s);
int digestset_read(struct digestset *s, const char *bytes, size_t len);

#endif
