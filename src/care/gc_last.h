/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_LAST_H
#define BERTH_CARE_GC_LAST_H

/*
 * gc_last: what the last collection did and found, kept in the store: for the metrics of whoever serves it, since a
 * collection may be another machine's, or an operator's by hand.
 *
 * How many blobs there are is so known as of the last collection, which looks at all of them, and what was added since
 * is counted. It is exact where one master alone writes, and has lived since; what another machine adds, what came in
 * while the collection ran, and what was there before a restart shows with the next collection.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "care/gc.h"
#include "store/store.h"

/* gc_last_text - a collection that is done as the text that collector_done() keeps; usec: how long it took */
void gc_last_text(const struct gc_result *r, uint64_t usec, struct str *out);

struct gc_last {
	uint64_t run;                   /* a random number, never 0 */
	uint64_t usec;                  /* how long it took */
	int64_t ended;                  /* seconds since the epoch */
	struct gc_result result;
};

/* gc_last_read - the last one: 1, 0 where there was none or one that says nothing, -1 with *e */
int gc_last_read(struct store *st, struct gc_last *out, struct err *e);

/*
 * gc_last_adopt - take the last collection over into the metrics, if that was not done yet by any process of this master
 * count  false: it is older than this master; what it found counts, what it did does not
 * Returns as gc_last_read(), with the collection in *out.
 */
int gc_last_adopt(struct store *st, bool count, struct gc_last *out, struct err *e);

#endif
