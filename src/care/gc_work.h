/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_WORK_H
#define BERTH_CARE_GC_WORK_H

/* gc_work: shared by the parts of a garbage collection: one run, its batches, its account. */

#include "base/digestset.h"
#include "care/gc.h"
#include "care/retain_run.h"
#include "os/dir.h"
#include "registry/manifest_scan.h"
#include "store/collector.h"

struct gc_work {
	struct registry *r;
	const struct gc_options *o;
	struct gc_result *out;
	struct collector *c;
	int64_t now;                    /* the file system's clock at the beginning of the batch, seconds */
	bool alone;                     /* nobody serves, so no writer is likely to wait for this batch */
	uint64_t begun;                 /* when the batch began, microseconds */
	unsigned done;                  /* objects in this batch */
	uint64_t paced, since;          /* for the rate: objects, and since when they are counted (microseconds) */
	struct retain_run *rules;       /* owned; NULL: the configuration has no rules, or another process is applying them */
	struct str *records;            /* in a helper process: where gc_tell() adds records; NULL: this is no helper */
};

/*
 * gc_enter  - begin a batch: acquire the exclusive lock, read the notes and the clock, find out whether anybody serves: then a link whose
 *             group's lock is busy fails the batch, and quota_try_again() says when to go on with the next one
 * gc_unlock - end the batch: release the lock. The caller releases every other lock before gc_leave()
 * gc_leave  - wait for as long as the batch took if anybody serves, and as long as the rate demands; the time since
 *             gc_unlock() counts
 * gc_batch_goes_on - count one more object; false if it does not fit into this batch
 * gc_pace   - count one more object that is checked outside a batch, and wait if the rate demands it
 */
int gc_enter(struct gc_work *w, struct err *e);
void gc_unlock(struct gc_work *w);
void gc_leave(struct gc_work *w);
void gc_pace(struct gc_work *w);
bool gc_batch_goes_on(struct gc_work *w);

/* gc_goes_on - 0, or -1 with *e if this process was asked to end (os_end_by_asking); before each batch, task and manifest */
int gc_goes_on(struct err *e);

/* gc_name - parse the name of a repository that was visited */
struct name gc_name(const char *text);

/* gc_in_grace - whether something modified at `when` (seconds since the epoch) is kept by the grace period */
bool gc_in_grace(const struct gc_work *w, int64_t when);
void gc_progress(const struct gc_work *w, const char *what, uint64_t done, uint64_t of);
void gc_tell(struct gc_work *w, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes);

/*
 * The account of a helper process (care/share.h) is added to that of this process by way of records:
 * gc_helper_begin - in a helper: count from zero; gc_tell() adds records to `out`
 * gc_helper_count - in a helper: add its counts to `out`
 * gc_accept       - in this process: accept such a record; 0, or -1 with *e for any other
 * gc_processes    - how many processes to use for so many tasks: at most one for each processor and for `each` tasks, and eight;
 *                   one if there is a rate, since only one process can keep it
 */
void gc_helper_begin(struct gc_work *w, struct str *out);
void gc_helper_count(const struct gc_work *w, struct str *out);
int gc_accept(struct gc_work *w, char type, const char *data, size_t len, struct err *e);
unsigned gc_processes(const struct gc_work *w, size_t tasks, size_t each);

/*
 * gc_references - what the manifest stored as `content` names; nothing if it does not exist
 * Returns 1, 0 if it is no manifest that can be read, -1 with *e.
 */
int gc_references(struct gc_work *w, const struct digest *content, struct references *out, struct err *e);

/* gc_leftovers - remove abandoned uploads, and what crashes left in body/, tmp/ and trash/ */
int gc_leftovers(struct gc_work *w, struct err *e);

#endif
