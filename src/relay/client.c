/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client: libcurl's multi interface on libevent's loop.
 *
 * Owns the loop's events for libcurl. Knows nothing of what is sent. What libcurl does unexpectedly is in doc/LIBRARIES.md, "libcurl".
 */
#include "relay/client_own.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"

#define IDLE_MAX 16L            /* connections that are kept for the next request */

static void collect(struct client *c)
{
	struct CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(c->multi, &left))) {
		CURLcode result = msg->data.result;
		char *call = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
		next_after((struct call *)(void *)call, result);
	}
	call_tell(c);
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	int running, how = (what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(c->multi, fd, how, &running);
	collect(c);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	int running;

	(void)fd;
	(void)what;
	curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(c);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	call_tell(arg);
}

/* libcurl wants to know when this socket is ready. It calls this from within its own functions: none may be called here but curl_multi_assign(). */
static int watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_socket)
{
	short wanted = (short)((what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0) | EV_PERSIST);
	struct event *ev = of_socket;
	struct client *c = arg;

	(void)easy;
	if (ev)
		event_free(ev);
	ev = what == CURL_POLL_REMOVE ? NULL : event_new(c->base, fd, wanted, on_ready, c);
	if (ev)
		event_add(ev, NULL);
	curl_multi_assign(c->multi, fd, ev);
	return 0;
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
	const struct timeval in = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
	struct client *c = arg;

	(void)multi;
	if (ms < 0)
		evtimer_del(c->timer);
	else
		evtimer_add(c->timer, &in);
	return 0;
}

struct client *client_open(struct event_base *base)
{
	struct client *c = xcalloc(1, sizeof(*c));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	c->base = base;
	c->multi = curl_multi_init();
	c->timer = evtimer_new(base, on_time, c);
	c->soon = evtimer_new(base, on_soon, c);
	if (!c->multi || !c->timer || !c->soon)
		abort();
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
	curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, IDLE_MAX);
	return c;
}

void client_close(struct client **cp)
{
	struct client *c = STEAL(*cp);

	if (!c)
		return;
	while (c->first)
		call_free(c->first);
	curl_multi_cleanup(c->multi);           /* it closes idle connections, and calls watch() for them */
	event_free(c->timer);
	event_free(c->soon);
	free(c);
	curl_global_cleanup();
}

static bool header_ok(const char *header)
{
	return strchr(header, ':') && !strpbrk(header, "\r\n");
}

uint64_t client_begin(struct client *c, const struct client_call *o, client_done *done, void *arg)
{
	struct call *call = call_new(c, o, done, arg);

	assert(o->timeout_ms && o->connect_ms);
	for (size_t i = 0; i < call->headers.count; i++)
		if (!header_ok(call->headers.v[i]))
			call_fail(call, "a header is not \"Name: value\" on one line");
	if (!next_first(call))
		call_fail(call, "the URL is none of http or https");
	if (!call->over) {
		request_set_up(call);
		request_start(call);
	}
	return call->id;
}

void client_cancel(struct client *c, uint64_t id)
{
	struct call *call = c->first;

	while (call && call->id != id)
		call = call->next;
	if (call)
		call_free(call);
}
