/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_DIGESTSET_H
#define BERTH_BASE_DIGESTSET_H

/*
 * digestset: many digests in little memory: from 50 to 100 bytes each, however long their text is.
 *
 * Of a digest its first 256 bits are kept, which for sha256 is all of it. Two sha512 digests that share them are taken for
 * one. Nobody can make two contents that have such digests; a manifest may name a digest like that without having content
 * for it.
 *
 * Where a digest is looked for depends on a secret of this process: whoever chooses the digests cannot make it slow.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "base/str.h"

#define DIGESTSET_KEY 32

struct digestset {
	struct {
		unsigned char (*keys)[DIGESTSET_KEY];   /* a free slot holds zeros: so a look is at one cache line */
		bool zero;                              /* the digest of zeros is in, which has no slot */
		size_t count, cap;      /* cap is 0 or a power of two; count is of the slots in use */
	} of[DIGEST_ALG_COUNT];
};

#define DIGESTSET_INIT { 0 }

void digestset_release(struct digestset *s);
#define cleanup_digestset __attribute__((cleanup(digestset_release)))

void digestset_add(struct digestset *s, const struct digest *d);
bool digestset_has(const struct digestset *s, const struct digest *d);
size_t digestset_count(const struct digestset *s);

/*
 * digestset_write - add all of it to out, as bytes for digestset_read in a process of the same program
 * digestset_size  - how many bytes that are
 * digestset_read  - add what such bytes hold; 0, or -1 where they are none, with nothing added
 */
void digestset_write(const struct digestset *s, struct str *out);
size_t digestset_size(const struct digestset *s);
int digestset_read(struct digestset *s, const char *bytes, size_t len);

#endif
