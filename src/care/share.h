/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_SHARE_H
#define BERTH_CARE_SHARE_H

/*
 * share: tasks divided among this process and helpers that it forks.
 *
 * A helper inherits the caller's memory as it is at that moment, and the caller's locks: a lock is released only when all
 * helpers have ended, too. What a helper finds comes back as records. No helper outlives share_run() or the caller, whatever
 * ends the caller.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

struct share_job {
	size_t first, tasks;            /* the tasks are first ... tasks - 1; a free process starts the next one */
	bool helpers_alone;             /* this process does tasks only if no helper can be started */
	bool stands_back;               /* helpers lower their priority (nice) */
	void *arg;                      /* passed to all of the following */

	/* In a helper, before its first task. Records may be added to `out` at any time; they are sent after each task. May be NULL. */
	void (*begin)(void *arg, struct str *out);

	/* 0, 1 if this process shall start no further task, -1 with *e. */
	int (*task)(void *arg, size_t i, struct err *e);

	/*
	 * After its last task: in a helper; in this process, with `out` NULL, if more than one process was asked for. May be NULL.
	 * 0, or -1 with *e.
	 */
	int (*finish)(void *arg, struct str *out, struct err *e);

	/* In this process: one record of a helper. 0, or -1 with *e. */
	int (*accept)(void *arg, char type, const char *data, size_t len, struct err *e);

	/*
	 * In this process, before each of its own tasks and every 20 ms while it waits for helpers: `begun` of the tasks have been
	 * started. NULL: nothing, and the records of a helper are accepted only when it has ended.
	 */
	void (*tick)(void *arg, size_t begun);
};

/*
 * share_record       - add a record; the types are the job's own, except '.' and 'E'
 * share_record_begin - add the head of a record of len bytes; the caller adds the bytes
 */
void share_record(struct str *out, char type, const void *data, size_t len);
void share_record_begin(struct str *out, char type, size_t len);

/* share_malformed - what `accept` returns for a record that it does not understand: -1, with *e set */
int share_malformed(struct err *e);

/* share_processors - how many processors this process may use, at least 1 */
unsigned share_processors(void);

/* share_memory - memory that is zero and shared with processes forked later; NULL with *e. share_memory_free - unmap it */
void *share_memory(size_t size, struct err *e);
void share_memory_free(void *p, size_t size);

/*
 * share_run - do the tasks in so many processes, this one among them unless helpers work alone
 * If fewer can be started, those do all of it. Returns 0, or -1 with *e: some tasks were not done, or not reported. All
 * helpers have ended.
 */
int share_run(const struct share_job *job, unsigned processes, struct err *e);

#endif
