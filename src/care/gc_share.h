/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_SHARE_H
#define BERTH_CARE_GC_SHARE_H

/* gc_share: a part of a collection, done by several processes. */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"
#include "care/gc_work.h"

struct gc_job {
	size_t first, tasks;            /* the tasks first ... tasks - 1; whoever is free takes the next one */
	size_t each;                    /* for fewer of them a process is not worth it */
	bool stands_back;               /* nobody waits for it: see gc_share */
	const char *progress;           /* what the tasks are, for who watches; NULL: nothing is told */
	int (*task)(void *arg, size_t i, struct err *e);        /* 0, 1 no more in this batch, -1 with *e */

	/*
	 * In each process where there are several: its last act; NULL: none. In one that helps: what it found, as records.
	 * In this one: 0, or -1 where a record is none.
	 */
	int (*finish)(void *arg, struct err *e);
	void (*report)(void *arg, struct str *out);
	int (*take)(void *arg, char type, const char *data, size_t len);
	void *arg;
};

/*
 * gc_record       - add one record to a report; the types are the job's own, but for '.', 'T' and 'S'
 * gc_record_begin - the head of a record of so many bytes, which the caller adds
 */
void gc_record(struct str *out, char type, const void *data, size_t len);
void gc_record_begin(struct str *out, char type, size_t len);

/*
 * gc_processes - how many it is worth having: one for each processor that this process may use, eight at most; with a
 *                rate one, which keeps it
 * gc_share     - do the tasks with so many processes, this one among them
 *
 * A job that stands back is done by helpers alone, one at least, and they give way to whoever serves (nice). This process
 * could not get its own rank back, and it will hold locks that writers wait for. With a rate it does all by itself: it waits
 * most of the time.
 *
 * The others are forked: they have the memory of the caller as it is now, and its locks, so that a lock is let go only
 * when they have ended, too. What they count and tell counts as this process's; what they find comes by `report` and
 * `take`. They are gone when this returns, and die with the caller, whatever ends it.
 *
 * Returns 0, or -1 with *e: then some of it was not done, or not reported.
 */
unsigned gc_processes(const struct gc_work *w, const struct gc_job *job);
int gc_share(struct gc_work *w, unsigned processes, const struct gc_job *job, struct err *e);

#endif
