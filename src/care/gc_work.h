/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_WORK_H
#define BERTH_CARE_GC_WORK_H

/* gc_work: what the parts of a garbage collection share: one run, its batches, its account. */

#include "base/digestset.h"
#include "care/gc.h"
#include "os/dir.h"
#include "registry/manifest_scan.h"
#include "store/collector.h"

struct gc_work {
	struct registry *r;
	const struct gc_options *o;
	struct gc_result *out;
	struct collector *c;
	int64_t now;                    /* as the file system says, at the beginning of the batch */
	bool alone;                     /* in this batch there is nobody who would have to wait for it, as a rule */
	uint64_t begun;                 /* the batch, microseconds */
	unsigned done;                  /* in this batch */
	uint64_t paced, since;          /* objects, and since when (microseconds), for the rate */
	struct str *records;            /* in a helper process: what it tells goes there; NULL: this is no helper */
};

/*
 * gc_enter  - begin a batch: the exclusive lock, what was noted, the time, and whether anybody serves
 * gc_unlock - the batch is over; no other lock may be held when gc_leave follows
 * gc_leave  - stay away for as long as the batch took, where somebody serves, or as the rate demands; purging before it
 *             counts as staying away
 * gc_batch_goes_on - count one more object, and tell whether it may still come into this batch
 * gc_pace   - count one more object that is looked at outside of a batch, and wait where the rate demands it
 */
int gc_enter(struct gc_work *w, struct err *e);
void gc_unlock(struct gc_work *w);
void gc_leave(struct gc_work *w);
void gc_pace(struct gc_work *w);
bool gc_batch_goes_on(struct gc_work *w);

/*
 * gc_goes_on - 0, or -1 with *e where this process was asked to end (os_end_by_asking)
 * Every batch begins with it, and every manifest that is read.
 */
int gc_goes_on(struct err *e);

/* gc_name - the name of a repository that was visited, from its text */
struct name gc_name(const char *text);

bool gc_is_young(const struct gc_work *w, int64_t when);
void gc_progress(const struct gc_work *w, const char *what, uint64_t done, uint64_t of);
void gc_tell(struct gc_work *w, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes);

/*
 * A helper process (care/share.h) adds what it tells and counts to its report, and this process does the rest:
 * gc_helper_begin - in a helper: count from zero, and tell by way of `out`
 * gc_helper_count - in a helper: add what it has counted to `out`, as its last record
 * gc_accept       - in this process: tell and count what such a record says; 0, or -1 with *e for any other record
 * gc_processes    - how many are worth having for so many tasks, if one is not worth it for fewer than `each`. One if there
 *                   is a rate, which one process can keep
 */
void gc_helper_begin(struct gc_work *w, struct str *out);
void gc_helper_count(const struct gc_work *w, struct str *out);
int gc_accept(struct gc_work *w, char type, const char *data, size_t len, struct err *e);
unsigned gc_processes(const struct gc_work *w, size_t tasks, size_t each);

/*
 * gc_references - what the manifest that lies under `content` names
 * Returns 1, 0 where it can't be read, -1 with *e. What isn't there names nothing.
 */
int gc_references(struct gc_work *w, const struct digest *content, struct references *out, struct err *e);

/* gc_leftovers - uploads nobody went on with, and what crashes left in body/, tmp/ and trash/ */
int gc_leftovers(struct gc_work *w, struct err *e);

#endif
