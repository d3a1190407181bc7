/* SPDX-License-Identifier: Apache-2.0 */
/*
 * endpoint: what an endpoint does next.
 *
 * Owns its timers. Invariant: at most one thing is under way, a request or a question, or a timer runs, or the endpoint is at the end of the journal
 * and waits to be woken.
 */
#include "relay/endpoint.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"
#include "relay/endpoint_own.h"

#define AFTER_FAULT 5000          /* milliseconds after a file or the journal could not be read */

static void arm(struct endpoint *e, uint64_t ms)
{
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000) };

	evtimer_add(e->timer, &tv);
}

static void arm_due(struct endpoint *e)
{
	uint64_t now = endpoint_now();

	arm(e, now < e->due ? e->due - now : 0);
}

/* Nothing waits for the receiver: what there is to do about what was found. */
static void go_on(struct endpoint *e, enum endpoint_found found)
{
	uint64_t ms;

	switch (found) {
	case FOUND_END:
		break;
	case FOUND_MORE:
	case FOUND_FULL:
		arm(e, 0);
		break;
	case FOUND_DOUBT:
		ms = endpoint_doubt(e);
		if (ms)
			arm(e, ms);
		break;
	case FOUND_FAULT:
		arm(e, AFTER_FAULT);
		break;
	}
}

static void go(struct endpoint *e)
{
	enum endpoint_found found;

	if (e->call || e->doubt.asked)
		return;
	if (!e->loaded && endpoint_load(e) < 0) {
		arm(e, AFTER_FAULT);
		return;
	}
	if (e->look) {
		e->look = false;
		if (endpoint_answer(e))
			return;
	}
	if (endpoint_now() < e->due) {
		arm_due(e);
		return;
	}
	found = endpoint_read(e);
	endpoint_give_up(e);
	if (!batch_count(&e->batch)) {
		go_on(e, found);
		return;
	}
	if (endpoint_now() >= e->due)
		endpoint_send(e);
	if (!e->call)
		arm_due(e);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	go(arg);
}

static void on_save(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	endpoint_save(arg);
}

struct endpoint *endpoint_open(const struct endpoint_env *env, const struct config_endpoint *cf)
{
	struct endpoint *e = xcalloc(1, sizeof(*e));

	*e = (struct endpoint){
		.cf = cf, .env = env, .go = go, .look = true, .pace = PACE_INIT, .batch = BATCH_INIT, .reader = SEGMENT_READER_INIT,
		.doubt = { .how = SETTLED_LATER },
	};
	e->reader.dirfd = env->dirfd;
	e->reader.dir = READERS_JOURNAL;
	e->timer = evtimer_new(env->base, on_timer, e);
	e->save_timer = evtimer_new(env->base, on_save, e);
	if (!e->timer || !e->save_timer)
		abort();
	arm(e, 0);
	return e;
}

void endpoint_close(struct endpoint **pe)
{
	struct endpoint *e = *pe;

	if (!e)
		return;
	if (e->call)
		client_cancel(e->env->client, e->call);
	endpoint_doubt_forget(e);
	if (e->loaded)
		endpoint_save(e);
	event_free(e->timer);
	event_free(e->save_timer);
	segment_reader_release(&e->reader);
	batch_release(&e->batch);
	free(e);
	*pe = NULL;
}

void endpoint_wake(struct endpoint *e)
{
	if (!evtimer_pending(e->timer, NULL) || endpoint_now() >= e->due)
		go(e);
}

void endpoint_look(struct endpoint *e)
{
	e->look = true;
	go(e);
}
