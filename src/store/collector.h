/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_COLLECTOR_H
#define BERTH_STORE_COLLECTOR_H

/*
 * collector: how a garbage collection and the writers get along (store.md, "Garbage collection").
 *
 * While a collection runs, berth/gc/run holds its id. A writer that finds it, under the shared lock, notes the digests
 * that it makes reachable in a file of its own below berth/gc/<id>/, closed before the lock is let go. The collector
 * deletes in small batches under the exclusive lock, and reads what was noted at the beginning of each. So what became
 * reachable after the collector looked is either young, or noted, or both.
 *
 * A collector that is killed leaves the mark. It had locks/run all its life, so whoever gets that one knows that nobody
 * collects: writers try, once for every few notes, and take the mark away.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

/*
 * collector_note - the caller makes these digests reachable, or found them and relies on them; it holds lock_collector,
 *                  since before it looked whether they are there, until all that makes them reachable is done
 * UNAVAILABLE 503 where a collection runs and it can't be noted: the caller must not go on.
 */
int collector_note(struct store *st, const struct name *n, const struct digest *digests, size_t count, struct err *e);

/* The collector's side. */
struct collector;

/*
 * collector_begin - 1 with an owned collector, 0 where another one runs (or somebody excludes it), -1 with *e
 * The reserve is given up, so that this works on a file system without a free byte or inode.
 */
int collector_begin(struct collector **c, struct store *st, struct err *e);

/* collector_end - the run is over: writers note no more; the reserve is made again */
int collector_end(struct collector **c, struct err *e);

/*
 * collector_enter - the exclusive lock, and what was noted until now. Where that is much it lets writers in between, so no
 *                   other lock should be held where this is the first one after long
 * collector_leave - let go; collector_stay_away - until writers could get in for as long as they were kept
 *                   out: while it was held, and while the collector waited for it
 * collector_hear  - what was noted until now, without a lock: for who deletes nothing
 */
int collector_enter(struct collector *c, struct err *e);
void collector_leave(struct collector *c);
void collector_stay_away(const struct collector *c);
int collector_hear(struct collector *c, struct err *e);

/*
 * collector_nobody_serves - whether no master serves this store now, on whatever machine
 * Who begins in the next moment waits for the lock like any writer. 0, or -1 with *e.
 */
int collector_nobody_serves(const struct collector *c, bool *nobody, struct err *e);

bool collector_noted(const struct collector *c, const struct digest *d);

/*
 * collector_done - remember that a whole collection ended now, and what it has to say: a short text
 * collector_said - that text, at most cap bytes of it, and when it ended, in seconds since the epoch; its length, 0 where
 *                  there is none (or it is longer), -1 with *e
 * collector_last - how many seconds ago one did, on whatever machine, by the file system's clock; 1, 0 none ever, -1
 */
int collector_done(struct collector *c, const struct str *text, struct err *e);
ssize_t collector_said(struct store *st, char *text, size_t cap, int64_t *ended, struct err *e);
int collector_last(struct store *st, uint64_t *seconds, struct err *e);

/*
 * collector_exclude - keep collections from beginning, for who moves a repository: a mark without locks would miss it
 * Returns 1 with a descriptor that the caller owns (closing it lets go), 0 where one runs, -1 with *e.
 */
int collector_exclude(struct store *st, int *fd, struct err *e);

/* collector_now - the time as the store's own file system tells it, in seconds since the epoch */
int collector_now(struct collector *c, int64_t *now, struct err *e);

/* collector_tidy - remove what a killed run left, where none runs; collector_reserve - make the reserve where it is missing */
int collector_tidy(struct store *st, struct err *e);
void collector_reserve(struct store *st);

#endif
