/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch: keeps lines, and makes bodies of them.
 *
 * Owns the text of the lines. A body is made anew for each try: so what waits for a receiver that is down takes little memory.
 */
#include "relay/batch.h"

#include <assert.h>
#include <string.h>

void batch_release(struct batch *b)
{
	str_release(&b->lines);
	b->first = b->end = 0;
}

void batch_clear(struct batch *b)
{
	/* Of an idle endpoint nothing stays but the struct. */
	if (b->lines.cap > EVENT_LINE_MAX)
		str_release(&b->lines);
	str_reset(&b->lines);
	b->first = b->end = 0;
}

size_t batch_count(const struct batch *b)
{
	return b->end - b->first;
}

bool batch_has_room(const struct batch *b)
{
	return b->end < PACE_EVENTS && b->lines.len + EVENT_LINE_MAX <= BATCH_BYTES;
}

void batch_add(struct batch *b, const char *id, const struct position *at, const char *line, size_t len)
{
	struct batch_event *e = &b->v[b->end];
	struct event_line ev;

	assert(batch_has_room(b) && strlen(id) <= BATCH_ID_MAX);
	memcpy(e->id, id, strlen(id) + 1);
	e->at = *at;
	e->off = b->lines.len;
	e->len = len;
	str_add(&b->lines, line, len);
	e->when = event_parse(&ev, line, len) == 0 ? event_time(&ev) : 0;
	b->end++;
}

const struct batch_event *batch_first(const struct batch *b)
{
	assert(batch_count(b));
	return &b->v[b->first];
}

/* An event as the formats need it; *ev has to live as long. Its line was parsed when it was added. */
static struct format_event format_event_of(const struct batch *b, size_t i, struct event_line *ev)
{
	int rc = event_parse(ev, b->lines.buf + b->v[i].off, b->v[i].len);

	assert(rc == 0);
	(void)rc;
	return (struct format_event){ .id = b->v[i].id, .ev = ev };
}

void batch_data(const struct batch *b, struct str *out)
{
	struct event_line ev;
	struct format_event fe;

	assert(batch_count(b));
	fe = format_event_of(b, b->first, &ev);
	format_data(out, &fe);
}

struct position batch_drop(struct batch *b, size_t count)
{
	struct position at;

	assert(count && count <= batch_count(b));
	b->first += count;
	at = b->v[b->first - 1].at;
	if (b->first == b->end)
		batch_clear(b);
	return at;
}

size_t batch_body(const struct batch *b, const struct format *f, const struct format_source *src, size_t limit, struct str *body, const char **type)
{
	cleanup_str struct str objects = STR_INIT;
	size_t count, before;
	struct event_line ev;

	assert(batch_count(b) && limit);
	for (count = 0; count < limit && count < batch_count(b); count++) {
		struct format_event fe = format_event_of(b, b->first + count, &ev);

		before = objects.len;
		if (count)
			str_addc(&objects, ',');
		f->add(&objects, src, &fe);
		if (count && objects.len > BATCH_BYTES) {
			str_cut(&objects, before);
			break;
		}
	}
	*type = format_wrap(f, count, &objects, body);
	return count;
}
