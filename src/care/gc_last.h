/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_LAST_H
#define BERTH_CARE_GC_LAST_H

/*
 * gc_last: the results of the last collection, kept in the store for the metrics of every master that serves it: the collection
 * may have run on another machine, or by hand.
 *
 * The number of blobs is that of the last collection, which looks at all of them, plus those added since. It is exact if a single
 * master writes and has not restarted since. What another machine adds, what is pushed while a collection runs, and what was
 * added before a restart is included from the next collection on.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "care/gc.h"
#include "store/store.h"

/* gc_last_text - the text that collector_done() keeps of a finished collection; usec: its duration */
void gc_last_text(const struct gc_result *r, uint64_t usec, struct str *out);

struct gc_last {
	uint64_t run;                   /* a random number, never 0 */
	uint64_t usec;                  /* duration */
	int64_t ended;                  /* seconds since the epoch */
	struct gc_result result;
};

/* gc_last_read - the last collection: 1; 0 if there was none, or its text is malformed; -1 with *e */
int gc_last_read(struct store *st, struct gc_last *out, struct err *e);

/*
 * What the store has: after the last collection that was added to the metrics, and what was added and ended since. Of the first two only if there
 * was one (gc_last_adopt), and of the second if it was `sized`.
 */
uint64_t gc_last_blobs(void);
uint64_t gc_last_bytes(void);
uint64_t gc_last_uploads(void);

/*
 * gc_last_adopt - add the last collection to the metrics, unless a process of this master has done so
 * count  false: it ended before this master began: add what it found (blobs kept), not what it did (things removed)
 * Returns 1 with the collection in *out, 0 if there was none or its text is malformed, -1 with *e.
 */
int gc_last_adopt(struct store *st, bool count, struct gc_last *out, struct err *e);

#endif
