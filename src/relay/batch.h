/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_BATCH_H
#define BERTH_RELAY_BATCH_H

/* batch: the events that an endpoint gets next, in their order, as lines of the journal. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/event.h"
#include "os/segments.h"
#include "relay/format.h"
#include "relay/pace.h"

#define BATCH_BYTES (1024 * 1024)       /* of lines that are kept, and of a body */
#define BATCH_ID_MAX (POSITION_LEN + 6) /* "lost-" and a position */

struct batch_event {
	char id[BATCH_ID_MAX + 1];
	struct position at;     /* where the endpoint is when this event is settled */
	size_t off, len;        /* of its line in `lines` */
	int64_t when;           /* seconds since the epoch; 0: unknown */
};

struct batch {
	struct str lines;
	struct batch_event v[PACE_EVENTS];
	size_t first, end;      /* v[first] to v[end - 1] */
};

#define BATCH_INIT { .lines = STR_INIT }
void batch_release(struct batch *b);
void batch_clear(struct batch *b);

size_t batch_count(const struct batch *b);
bool batch_has_room(const struct batch *b);

/* batch_add - add an event; there must be room. The line has passed event_parse(). */
void batch_add(struct batch *b, const char *id, const struct position *at, const char *line, size_t len);

/* batch_first - the first event; there must be one */
const struct batch_event *batch_first(const struct batch *b);

/* batch_data - add the first event as the object that doc/EVENTS.md describes */
void batch_data(const struct batch *b, struct str *out);

/* batch_drop - remove the first events; returns where the endpoint is without them */
struct position batch_drop(struct batch *b, size_t count);

/*
 * batch_body - write the body of a request with the first events
 * limit  how many at most; fewer if the body would be longer than BATCH_BYTES, but one in any case
 * type   gets its media type
 * Returns the number of events.
 */
size_t batch_body(const struct batch *b, const struct format *f, const struct format_source *src, size_t limit, struct str *body, const char **type);

#endif
