/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_read: takes the events that concern an endpoint from the journal. A part of `endpoint`.
 *
 * Owns nothing. Invariant: an event is not passed by before it is known whether it took place; an event of no concern holds up nothing.
 */
#include "relay/endpoint_own.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

#define AT_ONCE (256 * 1024)    /* bytes of lines that one turn reads: others wait for the loop */
#define DOUBT_FIRST 100         /* milliseconds in which the maker of a change marks it, mostly */

static void take(struct endpoint *e, const struct position *at, const char *line, size_t len)
{
	char id[POSITION_LEN + 1];

	position_text(at, id);
	batch_add(&e->batch, id, at, line, len);
	e->seen = *at;
}

/* The place of the endpoint was cut off. What it is told has an id that no line has, and the same one for each try. */
static void tell_loss(struct endpoint *e)
{
	const struct event lost = { .action = EVENT_LOST };
	cleanup_str struct str line = STR_INIT;
	char id[BATCH_ID_MAX + 1] = "lost-";
	struct log_event said;

	e->reader.lost = false;
	position_text(&e->seen, id + strlen(id));
	log_begin(&said, LOG_WARN, "hook_lost");
	log_str(&said, "endpoint", e->cf->name);
	log_str(&said, "after", id + 5);
	log_end(&said);
	event_add_line(&line, EVENT_DONE, &lost);
	if (endpoint_concerns(e->cf, &(struct event_line){ .action = EVENT_LOST }))
		batch_add(&e->batch, id, &e->seen, line.buf, line.len - 1);
}

/* Whether the line at this place has been decided about: the mark that it has or would have. */
static char mark_of(const struct endpoint *e, const struct position *at, const struct event_line *ev)
{
	if (ev->mark != EVENT_BEGUN || e->doubt.how == SETTLED_LATER || position_cmp(at, &e->doubt.at) != 0)
		return ev->mark;
	return e->doubt.how == SETTLED_DONE ? EVENT_DONE : EVENT_UNDONE;
}

static void meet_doubt(struct endpoint *e, const struct position *at)
{
	if (position_cmp(at, &e->doubt.at) != 0)
		e->doubt = (struct doubt){ .at = *at, .due = endpoint_now() + DOUBT_FIRST, .wait = DOUBT_FIRST, .how = SETTLED_LATER };
	/* Read it anew the next time: it may have its mark then. */
	segment_reader_seek(&e->reader, at);
}

/* One line: whether to go on. */
static bool read_line(struct endpoint *e, const struct position *at, const char *line, size_t len)
{
	struct event_line ev;
	char mark;

	if (position_cmp(at, &e->seen) <= 0)
		return true;
	if (event_parse(&ev, line, len) < 0 || ev.mark == EVENT_UNDONE || !endpoint_concerns(e->cf, &ev)) {
		e->seen = *at;
		return true;
	}
	mark = mark_of(e, at, &ev);
	if (mark == EVENT_BEGUN) {
		meet_doubt(e, at);
		return false;
	}
	if (mark == EVENT_DONE)
		take(e, at, line, len);
	e->seen = *at;
	return true;
}

/* The end. Its segment may be a newer one than that of the last event: the older one can be cut off without a loss. */
static void reach_end(struct endpoint *e)
{
	const struct position begin = { .segment = e->reader.next.segment };

	if (!e->reader.lost && position_cmp(&begin, &e->seen) > 0)
		e->seen = begin;
}

enum endpoint_found endpoint_read(struct endpoint *e)
{
	enum endpoint_found found = FOUND_FULL;
	struct position at;
	const char *line;
	size_t len, sum = 0;
	int rc;

	while (batch_has_room(&e->batch)) {
		if (sum > AT_ONCE) {
			found = FOUND_MORE;
			break;
		}
		rc = segment_reader_next(&e->reader, &line, &len, &at);
		if (rc < 0) {
			endpoint_complain(e, "cannot read the journal", errno);
			return FOUND_FAULT;
		}
		if (rc == 0) {
			reach_end(e);
			found = FOUND_END;
			break;
		}
		if (e->reader.lost) {
			tell_loss(e);
			segment_reader_seek(&e->reader, &at);
			continue;
		}
		sum += len;
		if (!read_line(e, &at, line, len)) {
			found = FOUND_DOUBT;
			break;
		}
	}
	if (!batch_count(&e->batch) && position_cmp(&e->seen, &e->settled) > 0)
		endpoint_settle(e, &e->seen);
	return found;
}
