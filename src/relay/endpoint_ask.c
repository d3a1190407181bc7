/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint_ask: carries out what `berth hooks` asks for. A part of `endpoint`.
 *
 * Owns nothing. Invariant: a request is removed after its answer is on disk: so it may be carried out twice, never not at all.
 */
#include "relay/endpoint_own.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/time.h"

static void say(struct endpoint *e, const char *id, bool done, const struct str *text)
{
	snprintf(e->st.asked, sizeof(e->st.asked), "%s", id);
	snprintf(e->st.outcome, sizeof(e->st.outcome), "%s", done ? HOOK_DONE : HOOK_FAILED);
	snprintf(e->st.said, sizeof(e->st.said), "%s", text->buf);
	endpoint_dirty(e);
	if (endpoint_save(e) == 0)
		readers_asked(e->env->dirfd, e->cf->name);
}

static void tested(void *arg, const struct client_answer *a)
{
	struct endpoint *e = arg;
	cleanup_str struct str text = STR_INIT;
	uint64_t ms = (time_now_usec() - e->begun) / 1000;
	bool accepted = a->status >= 200 && a->status < 300;

	e->call = 0;
	if (accepted)
		e->due = 0;             /* what waits need not wait any longer */
	if (a->status)
		str_addf(&text, "HTTP %d after %llu ms", a->status, (unsigned long long)ms);
	else
		str_addf(&text, "no answer after %llu ms: %s", (unsigned long long)ms, a->why);
	say(e, e->ask.id, accepted, &text);
	e->go(e);
}

/* The event is in no journal: it says that it is a test, when, and nothing of any repository. */
static bool test(struct endpoint *e, const struct readers_ask *ask)
{
	cleanup_str struct str json = STR_INIT, object = STR_INIT, body = STR_INIT, why = STR_INIT;
	const struct format *f = format_of(e->cf->format);
	struct event_line ev = { .mark = EVENT_DONE, .action = EVENT_LOST };
	struct format_event fe = { .action = FORMAT_TEST, .ev = &ev };
	cleanup_str struct str id = STR_INIT;
	char now[TIME_RFC3339_MAX];
	struct timespec ts;
	const char *type;

	clock_gettime(CLOCK_REALTIME, &ts);
	time_rfc3339(now, &ts, 1);
	str_addf(&json, "{\"time\":\"%s\",\"action\":\"%s\"}", now, FORMAT_TEST);
	ev.json = json_view_of(json.buf, json.len);
	str_puts(&id, "test-");
	str_add_json(&id, ask->id, strlen(ask->id));
	fe.id = id.buf;
	f->add(&object, &e->env->source, &fe);
	type = format_wrap(f, 1, &object, &body);
	e->ask = *ask;
	e->begun = time_now_usec();
	if (endpoint_request(e, type, &body, tested, &why))
		return true;
	say(e, ask->id, false, &why);
	return false;
}

static void replay(struct endpoint *e, const struct readers_ask *ask)
{
	cleanup_str struct str text = STR_INIT;
	struct position from = { 0 };
	bool done = false;

	if (ask->from[0] && position_parse(&from, ask->from, strlen(ask->from)) < 0) {
		str_addf(&text, "this is no id of an event: %s", ask->from);
	} else if (position_cmp(&from, &e->settled) > 0) {
		str_puts(&text, "what follows that is yet to be delivered");
	} else {
		done = true;
		endpoint_seek(e, &from);
		e->pace.in_row = e->st.in_row = 0;      /* so that what is old is tried again before it is given up */
		e->due = 0;
		e->st.next_try = 0;
		str_puts(&text, "it goes on from there");
	}
	say(e, ask->id, done, &text);
}

static void drop(struct endpoint *e, const struct readers_ask *ask)
{
	cleanup_str struct str text = STR_INIT;
	struct position last;
	bool done = segment_reader_end(&e->reader, &last) == 0;

	if (!done) {
		str_addf(&text, "cannot read the journal: %s", strerror(errno));
		segment_reader_seek(&e->reader, &e->seen);
	} else {
		endpoint_seek(e, &last);
		e->due = 0;
		e->st.next_try = 0;
		str_puts(&text, "what waited is dropped");
	}
	say(e, ask->id, done, &text);
}

bool endpoint_answer(struct endpoint *e)
{
	cleanup_str struct str text = STR_INIT;
	struct readers_ask ask;

	if (readers_ask(e->env->dirfd, e->cf->name, &ask) != 1)
		return false;
	if (strcmp(ask.id, e->st.asked) == 0) {
		if (endpoint_save(e) == 0)
			readers_asked(e->env->dirfd, e->cf->name);
		return false;
	}
	switch (ask.what) {
	case READERS_TEST:
		return test(e, &ask);
	case READERS_REPLAY:
		replay(e, &ask);
		break;
	case READERS_DROP:
		drop(e, &ask);
		break;
	case READERS_OTHER:
		str_puts(&text, "this relay does not know what is asked for");
		say(e, ask.id, false, &text);
		break;
	}
	return false;
}
