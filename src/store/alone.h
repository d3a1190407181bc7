/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_ALONE_H
#define BERTH_STORE_ALONE_H

/*
 * alone: content that only mirrors of other registries have, and how many bytes that is (doc/CACHE.md, "What only mirrors have").
 *
 * A file of content that a mirror brought has the sticky bit. Whoever makes it reachable in another repository, or relies on it there, opens and
 * looks at it anyway, and clears the bit before the link appears. So the bit costs a push no system call, and content that has it is in no
 * repository but copies (store/mirror.h), as far as berth has written the store: links of an earlier epoch have to be looked at once.
 *
 *   berth/mirror/_size    how many bytes are counted: at least those of content with the bit
 *   berth/mirror/_judged  the epoch, and the doubt, for which links of other repositories were compared with the bit
 *   berth/mirror/_doubt   a random number that changes when such links may have appeared, or when a copy becomes one's own
 *
 * What is noted in this folder is not flushed. The lock of _size is the innermost of all: whoever has it waits for no other.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

/*
 * alone_mirror - whether the repository is a copy, where the bit may stay: the same for all processes
 * alone_brings - whether what comes to it may get the bit: it is a copy, and by this process's configuration it mirrors an upstream. Costs no
 *                system call where it does not
 */
bool alone_mirror(struct store *st, const struct name *n);
bool alone_brings(struct store *st, const struct name *n);

/*
 * alone_has  - whether only mirrors have this content; sb: what fstat says of its file
 * alone_give - set the bit on a file that is to become content, has no name there yet, and is linked into place: if that name is taken, the
 *              caller clears the bit before the file may replace the other one. False: it is content already, or the file system has no such bit
 * alone_take - another repository is about to have the content: clear the bit, durably before the link; 0, or -1 with *e. Of a file that is
 *              another user's a copy takes the place
 * n  the repository that is about to have it: of a mirror the bit stays; NULL: any other
 */
bool alone_has(const struct stat *sb);
bool alone_give(int fd, const struct stat *sb);
int alone_take(struct store *st, const struct name *n, const struct digest *d, int fd, const struct stat *sb, struct err *e);

/*
 * alone_size    - how many bytes are counted: 1, 0 nobody has counted, -1 with *e
 * alone_add     - that many more, if there are at most `max` then (0: any number): 1, 0 they would be more, -1 with *e
 * alone_sub     - that many less
 * alone_replace - `measured` bytes have the bit, as somebody found who began when `before` were counted; what was added since is added
 */
int alone_size(struct store *st, uint64_t *bytes, struct err *e);
int alone_add(struct store *st, uint64_t bytes, uint64_t max, struct err *e);
int alone_sub(struct store *st, uint64_t bytes, struct err *e);
int alone_replace(struct store *st, uint64_t measured, uint64_t before, struct err *e);

/*
 * Since when the bit can be believed is said by a word: the epoch, and what stands in _doubt. Without a master that serves there is no epoch.
 * alone_word   - the word of now
 * alone_judged - whether links of other repositories were compared with the bit since this has been the word: 1, 0, or -1 with *e
 * alone_judge  - they have been. The caller had the word before it looked at the first link, and after that the collector's lock exclusively for a
 *                moment, so that nobody links any more who does not know of the doubt. 1, 0 that could not be noted, -1 with *e
 * alone_doubt  - they have to be compared again: somebody else may have written the store, or a copy becomes one's own. 0, or -1 with *e
 */
int alone_word(struct store *st, struct str *out, struct err *e);
int alone_judged(struct store *st, const struct str *word, struct err *e);
int alone_judge(struct store *st, const struct str *word, struct err *e);
int alone_doubt(struct store *st, struct err *e);

#endif
