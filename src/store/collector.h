/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_COLLECTOR_H
#define BERTH_STORE_COLLECTOR_H

/*
 * collector: the protocol between a garbage collection and the writers (doc/STORE.md, "Garbage collection beside writers").
 *
 * While a collection runs, berth/gc/run holds its id: the mark. A writer that finds the mark, under the shared lock, notes the
 * digests that it makes reachable in a file of its own below berth/gc/<id>/, and closes that file before it releases the
 * lock. The collector deletes in small batches under the exclusive lock, and reads the new notes at the beginning of each
 * batch. So whatever became reachable after the collector looked is recently modified, or noted, or both.
 *
 * A collection that is killed leaves its mark. A collection holds locks/run from begin to end, so whoever acquires that lock
 * knows that none runs. Writers try it once for every few notes, and remove the mark.
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
 * collector_note - note digests that the caller makes reachable, or found and relies on. The caller holds lock_collector from
 *                  before it looked for them until everything that makes them reachable is done.
 * UNAVAILABLE 503 if a collection runs and the note cannot be written: the caller must not continue.
 */
int collector_note(struct store *st, const struct name *n, const struct digest *digests, size_t count, struct err *e);

/* The collector's side. */
struct collector;

/*
 * collector_begin - 1 with an owned collector, 0 if another one runs (or collector_exclude is in force), -1 with *e
 * The reserve is released first, so that this works on a file system without a free byte or inode.
 */
int collector_begin(struct collector **c, struct store *st, struct err *e);

/* collector_end - end the collection: remove the mark and the notes, and create the reserve again */
int collector_end(struct collector **c, struct err *e);

/*
 * collector_enter - acquire the exclusive lock and read the new notes. If there are many, the lock is released in between to
 *                   let writers in; so hold no other lock if the notes were not read for long.
 * collector_leave - release it; collector_stay_away - then sleep for as long as writers were kept out, waiting included
 * collector_hear  - read the new notes without a lock: for a collection that deletes nothing
 */
int collector_enter(struct collector *c, struct err *e);
void collector_leave(struct collector *c);
void collector_stay_away(const struct collector *c);
int collector_hear(struct collector *c, struct err *e);

/*
 * collector_nobody_serves - whether no master serves this store now; never, where there may be several machines. 0, or -1 with *e
 * One that begins later waits for the lock like any writer.
 */
int collector_nobody_serves(const struct collector *c, bool *nobody, struct err *e);

bool collector_noted(const struct collector *c, const struct digest *d);

/*
 * collector_done - record that a whole collection ended now, with a short text of its results
 * collector_said - read that text into `text`, and its time, in seconds since the epoch; returns its length, 0 if there is none
 *                  or it is longer than cap bytes, -1 with *e
 * collector_last - how many seconds ago one ended, on any machine, by the file system's clock; 1, 0 never, -1
 */
int collector_done(struct collector *c, const struct str *text, struct err *e);
ssize_t collector_said(struct store *st, char *text, size_t cap, int64_t *ended, struct err *e);
int collector_last(struct store *st, uint64_t *seconds, struct err *e);

/* How often who waits for an eviction tries: each time takes half a second. An eviction ends soon, another collection may not */
#define COLLECTOR_TRIES 10

/*
 * What a collection is doing, for those who look on.
 *
 * collector_phase   - note it, a word of static text; a failure is ignored
 * collector_running - whether one runs now, on any machine: 1 with its phase ("": unknown) and when it began (0: unknown), 0, -1 with *e
 *                     A repository that is being moved is none.
 */
#define COLLECTOR_PHASE_MAX 15

struct collector_state {
	char phase[COLLECTOR_PHASE_MAX + 1];
	int64_t began;          /* seconds since the epoch */
};

void collector_phase(struct collector *c, const char *phase);
int collector_running(struct store *st, struct collector_state *out, struct err *e);

/*
 * collector_exclude - keep collections from beginning while a repository is moved: a mark phase without locks would miss it
 * Returns 1 with an owned descriptor (closing it ends this), 0 if a collection runs, -1 with *e.
 */
int collector_exclude(struct store *st, int *fd, struct err *e);

/* collector_now - the time by the clock of the store's file system, in seconds since the epoch */
int collector_now(struct collector *c, int64_t *now, struct err *e);

/*
 * collector_tidy    - remove what a killed collection left, unless one runs
 * collector_reserve - create the reserve if it is missing: space that the next collection can release
 */
int collector_tidy(struct store *st, struct err *e);
void collector_reserve(struct store *st);

#endif
