/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_EVENT_H
#define BERTH_REGISTRY_REG_EVENT_H

/* reg_event: reading the journal, and finding out what came of changes that were cut short (doc/EVENTS.md). */

#include <stdbool.h>
#include "base/err.h"
#include "base/event.h"
#include "base/pattern.h"
#include "os/segments.h"
#include "registry/reg_walk.h"
#include "registry/registry.h"

/*
 * reg_event_settle - decide about a line with the mark EVENT_BEGUN, and mark it unless the registry is read-only
 * at    its position
 * wait  whether to wait for the repository's lock, with the limit of all waits; nobody waits where the registry is read-only
 * Returns 1 and the mark, 0 if the lock is busy and is not waited for, or if the line has been cut off, -1 with *e.
 */
int reg_event_settle(struct registry *r, const struct position *at, bool wait, char *mark, struct err *e);

/* What to read. */
struct event_query {
	struct position after;          /* only events behind this one; segment 0: from the first that is kept */
	const char *repo;               /* a valid pattern; NULL: all */
	const struct repo_filter *of;   /* the repositories that the caller may see; NULL: all */
	size_t max;                     /* events, at least 1 */
	bool wait;                      /* as in reg_event_settle() */

	struct position next;           /* out: `after` of the query that continues this one */
	bool more;                      /* out: there may be more events now; else ask later */
};

/*
 * reg_event_read - visit events in their order: those that took place, and EVENT_LOST where some were cut off before they were read
 * visit  gets the text of the event's position, and its line; returns 0 to go on, -1 with *e
 * A call reads at most about a megabyte of lines, whether or not they match. Returns 0, or -1 with *e.
 */
int reg_event_read(struct registry *r, struct event_query *q, int (*visit)(void *arg, const char *id, const struct event_line *ev, struct err *e),
		   void *arg, struct err *e);

/*
 * reg_event_read_back - visit events in the reverse of their order, as reg_event_read() does
 * q->after  only events before this one; segment 0: from the last one
 * q->more   out: there may be earlier ones, before q->next. That some were cut off is not told
 */
typedef int event_visit(void *arg, const char *id, const struct event_line *ev, struct err *e);
int reg_event_read_back(struct registry *r, struct event_query *q, event_visit *visit, void *arg, struct err *e);

/* reg_event_end - the position to read from that has nothing before it */
int reg_event_end(struct registry *r, struct position *out, struct err *e);

#endif
