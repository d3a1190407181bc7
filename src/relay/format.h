/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FORMAT_H
#define BERTH_RELAY_FORMAT_H

/*
 * format: events as a receiver reads them (doc/WEBHOOKS.md, "What is sent").
 *
 * Text of a line is JSON already, and is copied as it is.
 */

#include "base/event.h"
#include "conf/endpoint.h"

#define FORMAT_TEST "test"      /* the action of the event that `berth hooks test` sends */

struct format_source {          /* who sends */
	const char *host;       /* of this machine, as text for JSON */
	const char *instance;   /* a UUID of this process */
};

struct format_event {
	const char *id;         /* unique, the same for each try */
	const char *action;     /* NULL: that of the line; FORMAT_TEST */
	const struct event_line *ev;
};

struct format {
	const char *type_one, *type_many;       /* the media type of a body of one event, and of several */
	const char *before_one, *after_one, *before_many, *after_many;
	void (*add)(struct str *out, const struct format_source *src, const struct format_event *fe);  /* adds one event, an object */
};

extern const struct format format_registry, format_cloudevents;

static inline const struct format *format_of(enum endpoint_format f)
{
	return f == ENDPOINT_CLOUDEVENTS ? &format_cloudevents : &format_registry;
}

/* format_data - add an event as doc/EVENTS.md has it: the object of its line, with its id */
void format_data(struct str *out, const struct format_event *fe);

/* format_wrap - the body of so many events, whose objects have been added with commas between them, and its media type */
const char *format_wrap(const struct format *f, size_t count, const struct str *objects, struct str *body);

#endif
