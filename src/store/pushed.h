/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_PUSHED_H
#define BERTH_STORE_PUSHED_H

/*
 * pushed: the time at which a tag was last pushed, as the name of an empty file beside its link (doc/RULES.md, "How it works").
 *
 * The greatest name counts. A name needs no flush of its own: it is durable with the directory, or the barrier, that the tag's
 * link waits for. `dir` is a tag's current/, or the one that will become it.
 *
 * Another registry moves the link and does not write the name. So where the link was changed much later than the file, the link's
 * modification time counts. (A copy of the store changes the times of both.)
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

/* pushed_begin - write the time into a directory that has none yet; 0, or -1 with errno */
int pushed_begin(struct store *st, const char *dir, uint64_t usec);

/*
 * pushed_set - write the time, or one microsecond more than what stands there, if that is later: before the link is renamed
 * *usec gets what was written. The caller holds the repository's lock. Returns 0, or -1 with errno.
 */
int pushed_set(struct store *st, const char *dir, uint64_t *usec);

/*
 * pushed_find - the time, in microseconds since the epoch: 1, 0 without a link, -1 with *e
 * If no name says it, it is the link's modification time.
 * keep  write that down, unless the store is read-only: for who decides by it. That needs no lock, and a failure does not matter
 */
int pushed_find(struct store *st, const char *dir, bool keep, uint64_t *usec, struct err *e);

/* pushed_is_name - whether this is the name of such a file */
bool pushed_is_name(const char *name);

#endif
