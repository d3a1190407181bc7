/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers: questions to the workers, one connection each.
 *
 * Owns the connections. Invariant: each question is answered, if only by status 0 or SETTLED_LATER. Knows nothing of what becomes of an answer.
 */
#include "relay/workers.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fcgi.h"
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/log.h"
#include "base/mem.h"

#define PATIENCE 30             /* seconds without a byte */
#define ANSWER_MAX 65536        /* bytes */

struct question {
	struct question *next, **link;
	struct workers *w;
	struct bufferevent *bev;
	struct event *failed;           /* the connection has failed before it began */
	struct str in;
	workers_done *done;             /* of workers_ask() */
	workers_settled *settled;       /* of workers_settle() */
	void *arg;
};

struct workers {
	struct event_base *base;
	struct sockaddr_un at;          /* an empty path: the given one is too long */
	struct question *first;
};

static void question_free(struct question *q)
{
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	bufferevent_free(q->bev);
	event_free(q->failed);
	str_release(&q->in);
	free(q);
}

/* What a response of CGI says: a head with the status, and a body. */
static void read_answer(const struct str *response, struct workers_answer *a)
{
	static const char name[] = "Status: ";
	const char *body = strstr(response->buf, "\r\n\r\n");
	uint64_t status;

	*a = (struct workers_answer){ .body = "" };
	if (!body || strncmp(response->buf, name, strlen(name)) != 0 || str_parse_u64(response->buf + strlen(name), 3, &status) < 0)
		return;
	a->status = (int)status;
	a->body = body + 4;
	a->len = response->len - (size_t)(a->body - response->buf);
}

/* {"mark":"+"} or {"mark":"-"} */
static enum settled understand(const struct workers_answer *a)
{
	struct json_view mark;
	struct json_fault f;

	if (a->status != 200 || json_check(a->body, a->len, &f) < 0)
		return SETTLED_LATER;
	mark = json_view_get(json_view_of(a->body, a->len), "mark");
	return json_view_is(mark, "+") ? SETTLED_DONE : json_view_is(mark, "-") ? SETTLED_UNDONE : SETTLED_LATER;
}

static void answer(struct question *q, const struct str *response)
{
	struct question was = *q;
	struct workers_answer a;

	read_answer(response, &a);
	question_free(q);
	if (was.settled)
		was.settled(was.arg, understand(&a));
	else
		was.done(was.arg, &a);
}

/* Adds what has come; whether the answer is whole, or there will be none: then the response is empty. */
static bool complete(struct question *q, struct str *response)
{
	struct evbuffer *from = bufferevent_get_input(q->bev);
	size_t len = evbuffer_get_length(from);
	int whole;

	if (len > ANSWER_MAX - q->in.len)
		return true;
	if (len) {
		evbuffer_remove(from, str_room(&q->in, len), len);
		str_grown(&q->in, len);
	}
	whole = fcgi_answer(q->in.buf, q->in.len, response);
	if (whole != 1)
		str_reset(response);
	return whole != 0;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	cleanup_str struct str response = STR_INIT;

	(void)bev;
	if (complete(arg, &response))
		answer(arg, &response);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	cleanup_str struct str response = STR_INIT;

	(void)bev;
	if (what & BEV_EVENT_CONNECTED)
		return;
	complete(arg, &response);
	answer(arg, &response);
}

static void on_failed(evutil_socket_t fd, short what, void *arg)
{
	static const struct str none = STR_INIT;

	(void)fd;
	(void)what;
	answer(arg, &none);
}

struct workers *workers_open(struct event_base *base, const char *socket)
{
	struct workers *w = xcalloc(1, sizeof(*w));
	size_t len = strlen(socket);

	w->base = base;
	w->at.sun_family = AF_UNIX;
	if (len < sizeof(w->at.sun_path))
		memcpy(w->at.sun_path, socket, len);
	else
		log_say(LOG_ERROR, "relay", "the socket's path %s has more than %zu bytes", socket, sizeof(w->at.sun_path) - 1);
	return w;
}

void workers_close(struct workers **wp)
{
	struct workers *w = STEAL(*wp);

	if (!w)
		return;
	while (w->first)
		question_free(w->first);
	free(w);
}

static struct question *question_new(struct workers *w, unsigned seconds)
{
	const struct timeval patience = { .tv_sec = seconds };
	struct question *q = xcalloc(1, sizeof(*q));

	*q = (struct question){ .w = w, .next = w->first, .link = &w->first, .in = STR_INIT };
	if (w->first)
		w->first->link = &q->next;
	w->first = q;
	/* Deferred: else a connection that fails at once would be told from within workers_settle(). */
	q->bev = bufferevent_socket_new(w->base, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	q->failed = evtimer_new(w->base, on_failed, q);
	if (!q->bev || !q->failed)
		abort();
	bufferevent_setcb(q->bev, on_read, NULL, on_event, q);
	bufferevent_set_timeouts(q->bev, &patience, &patience);
	bufferevent_enable(q->bev, EV_READ | EV_WRITE);
	return q;
}

static struct question *ask(struct workers *w, const struct str *request, unsigned patience)
{
	struct question *q = question_new(w, patience);

	bufferevent_write(q->bev, request->buf, request->len);
	if (!w->at.sun_path[0] || bufferevent_socket_connect(q->bev, (struct sockaddr *)&w->at, sizeof(w->at)) < 0)
		event_active(q->failed, EV_TIMEOUT, 0);
	return q;
}

struct question *workers_settle(struct workers *w, const struct position *at, workers_settled *done, void *arg)
{
	cleanup_str struct str uri = STR_INIT, request = STR_INIT;
	char id[POSITION_LEN + 1];
	struct question *q;

	position_text(at, id);
	str_addf(&uri, "/berth/v1/relay/settle?id=%s", id);
	fcgi_ask(&request, (const char *const[]){ "REQUEST_METHOD", "GET", "REQUEST_URI", uri.buf, "SERVER_PROTOCOL", "HTTP/1.1",
						  "REMOTE_ADDR", "", "BERTH_REQUEST_ID", id, NULL });
	q = ask(w, &request, PATIENCE);
	q->settled = done;
	q->arg = arg;
	return q;
}

struct question *workers_ask(struct workers *w, const struct str *request, unsigned patience, workers_done *done, void *arg)
{
	struct question *q = ask(w, request, patience);

	q->done = done;
	q->arg = arg;
	return q;
}

void workers_cancel(struct question *q)
{
	question_free(q);
}
