/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_SINCE_H
#define BERTH_CMD_SINCE_H

/* since: where in the journal a command begins to read: the option --since. */

#include "base/err.h"
#include "base/time.h"
#include "os/segments.h"
#include "store/store.h"

struct since {
	struct position after;          /* the event that was named, which is left out; segment 0: a time was */
	char time[TIME_RFC3339_MAX];    /* only events of this time or later; "": all */
	uint64_t usec;                  /* the same, in microseconds since the epoch */
};

/* since_parse - an id of an event, a duration before now, or a time in UTC: "2026-01-02", "2026-01-02T03:04:05Z"; 0, or -1 */
int since_parse(struct since *s, const char *text);

/*
 * since_find - the position behind which all events are that are meant: of an id itself; of a time the beginning of the segment in which
 *              its first event may be. 0, or -1 with *e
 */
int since_find(const struct since *s, struct store *st, struct position *out, struct err *e);

#endif
