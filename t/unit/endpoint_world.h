/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_T_UNIT_ENDPOINT_WORLD_H
#define BERTH_T_UNIT_ENDPOINT_WORLD_H

/*
 * endpoint_world: a journal, a receiver and workers for tests of an endpoint. It takes the place of relay/client and relay/workers.
 */

#include "relay/endpoint.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "os/tree.h"
#include "relay/batch.h"
#include "relay/readers.h"
#include "tap.h"

#define IDS_MAX 4000
#define TURNS 20000

static struct event_base *base;
static int root = -1;
static struct segments writer = SEGMENTS_INIT;
static struct endpoint_env env;
static struct config_endpoint cf;
static char name[] = "one", url[] = "http://r";

/* --- the receiver: it answers as `decide` says, and notes what it has accepted */
static char accepted[IDS_MAX][BATCH_ID_MAX + 1];
static size_t naccepted, requests, most;
static int (*decide)(const char *body, size_t events);
static bool ahead;              /* the state on disk was once ahead of what was accepted */
static struct str last_body = STR_INIT;
static void *under_way;         /* the argument of the request under way; NULL: there is none */
static client_done *under_way_done;

static inline size_t ids_of(const char *body, char (*ids)[BATCH_ID_MAX + 1])
{
	size_t n = 0;

	while ((body = strstr(body, "{\"id\":\"")) != NULL) {
		const char *end = strchr(body += 7, '"');

		if (!end)
			abort();
		if (strncmp(end, "\",\"timestamp\"", 13) != 0)
			continue;
		if (ids && n < PACE_EVENTS)
			snprintf(ids[n], sizeof(ids[n]), "%.*s", (int)(end - body), body);
		n++;
	}
	return n;
}

static inline void look_at_state(void)
{
	struct hook_state st;

	if (readers_load(root, cf.name, &st) != 1 || !st.delivered)
		return;
	if (!naccepted || strcmp(st.next, accepted[naccepted - 1]) > 0)
		ahead = true;
}

static inline void answer(evutil_socket_t fd, short what, void *arg)
{
	char ids[PACE_EVENTS][BATCH_ID_MAX + 1];
	size_t n = ids_of(last_body.buf, ids);
	struct client_answer a = { .why = "", .body = STR_INIT };

	(void)fd;
	(void)what;
	if (under_way != arg)
		return;         /* it was cancelled */
	under_way = NULL;
	look_at_state();
	a.status = decide(last_body.buf, n);
	if (!a.status)
		a.why = "closed";
	str_puts(&a.body, "the receiver's words");
	for (size_t i = 0; a.status / 100 == 2 && i < n && naccepted < IDS_MAX; i++)
		memcpy(accepted[naccepted++], ids[i], sizeof(ids[i]));
	under_way_done(arg, &a);
	str_release(&a.body);
}

uint64_t client_begin(struct client *c, const struct client_call *call, client_done *done, void *arg)
{
	static const struct timeval at_once;

	(void)c;
	if (under_way)
		abort();        /* one endpoint has one request under way */
	requests++;
	str_reset(&last_body);
	str_add(&last_body, call->body, call->body_len);
	if (ids_of(last_body.buf, NULL) > most)
		most = ids_of(last_body.buf, NULL);
	under_way = arg;
	under_way_done = done;
	event_base_once(base, -1, EV_TIMEOUT, answer, arg, &at_once);
	return requests;
}

void client_cancel(struct client *c, uint64_t id)
{
	(void)c;
	(void)id;
	under_way = NULL;
}

/* --- the workers */
static enum settled (*settle)(const struct position *at);
static size_t questions;

struct question {
	struct position at;
	workers_settled *done;          /* NULL: it was cancelled */
	void *arg;
};

static inline void settled(evutil_socket_t fd, short what, void *arg)
{
	struct question *q = arg;

	(void)fd;
	(void)what;
	if (q->done)
		q->done(q->arg, settle(&q->at));
	free(q);
}

void workers_cancel(struct question *q)
{
	q->done = NULL;
}

struct question *workers_settle(struct workers *w, const struct position *at, workers_settled *done, void *arg)
{
	static const struct timeval at_once;
	struct question *q = xmalloc(sizeof(*q));

	(void)w;
	*q = (struct question){ .at = *at, .done = done, .arg = arg };
	questions++;
	event_base_once(base, -1, EV_TIMEOUT, settled, q, &at_once);
	return q;
}

/* --- the journal */
static inline int no_flush(void *arg, int fd)
{
	(void)arg;
	(void)fd;
	return 0;
}

static inline void begin_segment(bool unless_open)
{
	bool begun;

	if (segments_begin(&writer, unless_open, no_flush, NULL, &begun) < 0)
		abort();
}

static inline struct position put(char mark, const char *repository, const char *more)
{
	cleanup_str struct str line = STR_INIT;
	struct position at;
	int rc;

	str_addf(&line, "\n%c{\"time\":\"2026-11-29T09:20:03.120Z\",\"action\":\"remove\",\"repository\":\"%s\"%s}\n", mark, repository, more);
	while ((rc = segments_append(&writer, line.buf, line.len, &at)) == 0)
		begin_segment(true);
	if (rc < 0)
		abort();
	at.offset++;
	return at;
}

/* --- what the tests do */
static struct endpoint *ep;

static inline void turn(void)
{
	event_base_loop(base, EVLOOP_ONCE);
}

static inline void start(void)
{
	ep = endpoint_open(&env, &cf);
	turn();
}

static inline void stop(void)
{
	endpoint_close(&ep);
	under_way = NULL;
}

static inline void clear(void)
{
	if (ep)
		stop();
	segments_close(&writer);
	os_remove_tree(root, "berth");
	os_mkdirs(root, READERS_DIR);
	naccepted = requests = most = questions = 0;
	ahead = false;
	cf = (struct config_endpoint){
		.name = name, .url = url, .actions = ~0u, .backoff_max = 1, .give_up = 0, .timeout = 5,
	};
}

/* Turn the loop until so many events have been accepted. */
static inline bool arrive(size_t count)
{
	for (int i = 0; i < TURNS && naccepted < count; i++) {
		endpoint_wake(ep);
		turn();
	}
	return naccepted == count;
}

static inline void id_of(const struct position *at, char id[POSITION_LEN + 1])
{
	position_text(at, id);
}

static inline bool is_accepted(size_t i, const struct position *at)
{
	char id[POSITION_LEN + 1];

	id_of(at, id);
	return i < naccepted && strcmp(accepted[i], id) == 0;
}

static inline struct hook_state state(void)
{
	struct hook_state st;

	for (int i = 0; i < TURNS; i++) {
		if (readers_load(root, cf.name, &st) == 1 && st.delivered == naccepted)
			break;
		turn();
	}
	return st;
}

static inline int always(const char *body, size_t n)
{
	(void)body;
	(void)n;
	return 200;
}

static inline int failing(const char *body, size_t n)
{
	(void)body;
	(void)n;
	return 500;
}

static inline enum settled never_asked(const struct position *at)
{
	(void)at;
	ok(false, "nothing is asked where everything has its mark");
	return SETTLED_LATER;
}

static inline void world_begin(char *dir)
{
	if (!mkdtemp(dir))
		abort();
	root = os_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
	base = event_base_new();
	log_set_level(LOG_ERROR);
	writer.dirfd = root;
	writer.dir = READERS_JOURNAL;
	env = (struct endpoint_env){ .base = base, .dirfd = root, .source = { .host = "node", .instance = "i" } };
	decide = always;
	settle = never_asked;
}

static inline int world_end(const char *dir)
{
	clear();
	segments_close(&writer);
	os_remove_tree(root, "berth");
	os_cleanup_fd(&root);
	rmdir(dir);
	str_release(&last_body);
	event_base_free(base);
	libevent_global_shutdown();
	return done_testing();
}

#endif
