/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_ALONE_H
#define BERTH_STORE_ALONE_H

/*
 * alone: content that only mirrors of other registries have, and how many bytes that is (doc/CACHE.md, "What only mirrors have").
 *
 * A file of content that a mirror brought has the sticky bit. Whoever makes it reachable in another repository, or relies on it there, opens and
 * looks at it anyway, and clears the bit before the link appears. So the bit costs a push no system call, and content that has it is in no
 * repository but mirrors, as far as berth has written the store: links of an earlier epoch have to be looked at once.
 *
 *   berth/mirror/_size    how many bytes are counted: at least those of content with the bit
 *   berth/mirror/_judged  the epoch, and the upstreams, for which links of other repositories were compared with the bit
 *
 * What is noted in this folder is not flushed. The lock of _size is the innermost of all: whoever has it waits for no other.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

/* alone_mirror - whether the repository mirrors another registry's, by this process's configuration */
bool alone_mirror(const struct store *st, const struct name *n);

/*
 * alone_has  - whether only mirrors have this content; sb: what fstat says of its file
 * alone_give - set the bit on a file that is to become content, has no name there yet, and is linked into place: if that name is taken, the
 *              caller clears the bit with alone_drop() before the file may replace the other one. False: the file system has no such bit
 * alone_take - another repository is about to have the content: clear the bit, durably before the link; 0, or -1 with *e
 * n  the repository that is about to have it: of a mirror the bit stays; NULL: any other
 */
bool alone_has(const struct stat *sb);
bool alone_give(int fd, const struct stat *sb);
void alone_drop(int fd, const struct stat *sb);
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
 * alone_judged - whether the bit can be believed: in this epoch, with these upstreams, links of other repositories were compared with it
 * alone_judge  - they have been, by a process that began when the epoch was this one
 * Each returns 1 or 0, or -1 with *e. Without a master that serves there is no epoch, and the answer is 0.
 */
int alone_judged(struct store *st, struct err *e);
int alone_judge(struct store *st, struct err *e);

#endif
