/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_state: how far an endpoint has come, in memory and on disk. A part of `endpoint`.
 *
 * Owns the state file. Invariant: the file is never ahead of what is settled; it may be behind, by a second or what a power cut takes. Then events
 * are delivered again.
 */
#include "relay/endpoint_own.h"

#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "base/log.h"

#define SAVE_EVERY 1000         /* milliseconds */
#define SAVE_AGAIN 5000         /* after a failure */

void endpoint_complain(struct endpoint *e, const char *what, int error)
{
	struct log_event ev;

	if (e->complained)
		return;
	e->complained = true;
	log_begin(&ev, LOG_ERROR, "hook_files");
	log_str(&ev, "endpoint", e->cf->name);
	log_str(&ev, "message", what);
	log_str(&ev, "errno", strerrorname_np(error));
	log_end(&ev);
}

static void set_next(struct endpoint *e)
{
	char text[POSITION_LEN + 1] = "";

	if (e->settled.segment || e->settled.offset)
		position_text(&e->settled, text);
	memcpy(e->st.next, text, sizeof(text));
}

void endpoint_settle(struct endpoint *e, const struct position *upto)
{
	e->settled = batch_count(&e->batch) ? *upto : e->seen;
	set_next(e);
	endpoint_dirty(e);
}

void endpoint_seek(struct endpoint *e, const struct position *to)
{
	endpoint_doubt_forget(e);
	batch_clear(&e->batch);
	segment_reader_seek(&e->reader, to);
	e->reader.lost = false;
	e->settled = e->seen = *to;
	e->pace.refusals = 0;
	set_next(e);
	endpoint_dirty(e);
}

/* An endpoint that is new begins with what comes from now on. */
static int begin_new(struct endpoint *e)
{
	struct position last;

	if (segment_reader_end(&e->reader, &last) < 0) {
		endpoint_complain(e, "cannot read the journal", errno);
		return -1;
	}
	endpoint_seek(e, &last);
	return 0;
}

int endpoint_load(struct endpoint *e)
{
	struct position at = { 0 };
	int rc = readers_load(e->env->dirfd, e->cf->name, &e->st);

	if (rc < 0 && errno != EUCLEAN) {
		endpoint_complain(e, "cannot read its state", errno);
		return -1;
	}
	if (rc == 1 && e->st.next[0] && position_parse(&at, e->st.next, strlen(e->st.next)) < 0)
		rc = -1;
	e->fresh = rc != 1;
	if (rc == 0 && begin_new(e) < 0)
		return -1;
	if (rc < 0) {
		log_say(LOG_ERROR, "hook_files", "the state of the endpoint %s is none: all that the journal has is delivered again", e->cf->name);
		memset(&e->st, 0, sizeof(e->st));
	}
	if (rc != 0)
		endpoint_seek(e, &at);
	e->pace.in_row = e->st.in_row;
	e->failing = e->st.in_row > 0;
	e->dirty = e->fresh;
	if (endpoint_save(e) < 0)
		return -1;
	e->loaded = true;
	return 0;
}

static void plan(struct endpoint *e, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	if (!evtimer_pending(e->save_timer, NULL))
		evtimer_add(e->save_timer, &tv);
}

void endpoint_dirty(struct endpoint *e)
{
	uint64_t now = endpoint_now();

	e->dirty = true;
	if (e->loaded)
		plan(e, now < e->saved + SAVE_EVERY ? e->saved + SAVE_EVERY - now : 0);
}

int endpoint_save(struct endpoint *e)
{
	if (!e->dirty)
		return 0;
	e->saved = endpoint_now();
	if ((e->buried && readers_buried(e->env->dirfd, e->cf->name) < 0) ||
	    readers_save(e->env->dirfd, e->cf->name, &e->st, e->fresh) < 0) {
		endpoint_complain(e, "cannot write its state", errno);
		if (e->loaded)
			plan(e, SAVE_AGAIN);
		return -1;
	}
	e->dirty = e->buried = e->fresh = e->complained = false;
	return 0;
}
