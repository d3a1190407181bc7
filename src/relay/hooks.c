/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hooks: which relay delivers, and what wakes its endpoints.
 *
 * Owns the lock of the readers, the watches on the journal, and the endpoints. Invariant: there are endpoints only while the lock is held. Knows
 * nothing of what they do.
 */
#include "relay/hooks.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/ref.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "relay/endpoint.h"
#include "relay/readers.h"

#define TICK 2                  /* seconds: to look for the lock, for requests, and for what inotify does not show, such as other machines' lines */
#define TOGETHER 5000           /* microseconds: what is written within this time is read at once */
#define TEND_EVERY (24 * 3600)  /* seconds */

struct hooks {
	struct endpoint_env env;
	const char *root;
	const struct config_endpoint *cf;
	struct endpoint **v;            /* NULL: another relay delivers */
	size_t count;
	int dirfd, lock, notify;        /* -1: none */
	int journal, readers;           /* watches; -1: none */
	struct event *tick, *wake, *noticed;
	int64_t tended;                 /* seconds since the epoch */
	bool complained;                /* the log knows that the lock cannot be had */
	struct uuid instance;
	char host[HOST_NAME_MAX + 1];
};

static void arm(struct event *timer, time_t sec, suseconds_t usec)
{
	const struct timeval tv = { .tv_sec = sec, .tv_usec = usec };

	if (!evtimer_pending(timer, NULL))
		evtimer_add(timer, &tv);
}

static void complain(struct hooks *h, const char *what)
{
	if (!h->complained)
		log_say(LOG_ERROR, "hooks", "%s: %s; nothing is delivered until it works", what, strerror(errno));
	h->complained = true;
}

/* What may be missing is watched again at each tick. */
static void watch(struct hooks *h)
{
	cleanup_str struct str path = STR_INIT;

	if (h->notify < 0)
		return;
	if (h->journal < 0) {
		str_addf(&path, "%s/%s", h->root, READERS_JOURNAL);
		h->journal = inotify_add_watch(h->notify, path.buf, IN_MODIFY | IN_CREATE | IN_ONLYDIR);
	}
	if (h->readers < 0) {
		str_reset(&path);
		str_addf(&path, "%s/%s", h->root, READERS_DIR);
		h->readers = inotify_add_watch(h->notify, path.buf, IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR);
	}
}

static void tend(struct hooks *h)
{
	int64_t now = (int64_t)time(NULL);

	if (now < h->tended + TEND_EVERY && now >= h->tended)
		return;
	h->tended = now;
	if (readers_tend(h->dirfd, h->cf, h->count) < 0)
		log_say(LOG_WARN, "hooks", "cannot remove old files from %s: %s", READERS_DIR, strerror(errno));
}

static void deliver(struct hooks *h)
{
	size_t i;

	h->complained = false;
	log_say(LOG_INFO, "hooks", "this relay delivers the events of the journal to %zu endpoints", h->count);
	tend(h);
	h->v = xcalloc(h->count, sizeof(*h->v));
	for (i = 0; i < h->count; i++)
		h->v[i] = endpoint_open(&h->env, &h->cf[i]);
}

/* Try to become the relay that delivers. */
static void take_over(struct hooks *h)
{
	if (os_mkdirs(h->dirfd, READERS_DIR) < 0) {
		complain(h, "cannot make " READERS_DIR);
		return;
	}
	if (h->lock < 0)
		h->lock = os_lock_open(h->dirfd, READERS_LOCK);
	if (h->lock < 0) {
		complain(h, "cannot open " READERS_LOCK);
		return;
	}
	if (os_lock(h->lock, true, 0, NULL) == 0)
		deliver(h);
	else if (errno != EWOULDBLOCK)
		complain(h, "cannot lock " READERS_LOCK);
}

static void wake_all(struct hooks *h, void (*wake)(struct endpoint *e))
{
	size_t i;

	for (i = 0; h->v && i < h->count; i++)
		wake(h->v[i]);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct hooks *h = arg;

	(void)fd;
	(void)what;
	if (!h->v) {
		take_over(h);
	} else {
		tend(h);
		wake_all(h, endpoint_wake);
		wake_all(h, endpoint_look);
	}
	watch(h);
	arm(h->tick, TICK, 0);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wake_all(arg, endpoint_wake);
}

/* Whether it is about a request of `berth hooks`. What the relay itself writes there is of no concern. */
static bool is_request(const struct inotify_event *ev)
{
	size_t len = ev->len ? strnlen(ev->name, ev->len) : 0;

	return len > 4 && memcmp(ev->name + len - 4, ".ask", 4) == 0;
}

static void notice(struct hooks *h, const struct inotify_event *ev, bool *lines, bool *requests)
{
	if (ev->mask & IN_IGNORED) {
		if (ev->wd == h->journal)
			h->journal = -1;
		if (ev->wd == h->readers)
			h->readers = -1;
		return;
	}
	*lines |= ev->wd == h->journal || (ev->mask & IN_Q_OVERFLOW);
	*requests |= (ev->wd == h->readers && is_request(ev)) || (ev->mask & IN_Q_OVERFLOW);
}

static void on_notify(evutil_socket_t fd, short what, void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct hooks *h = arg;
	bool lines = false, requests = false;
	ssize_t n = read(fd, buf, sizeof(buf)), at;
	const struct inotify_event *ev;

	(void)what;
	for (at = 0; at < n; at += (ssize_t)(sizeof(*ev) + ev->len)) {
		ev = (const struct inotify_event *)(const void *)(buf + at);
		notice(h, ev, &lines, &requests);
	}
	if (lines)
		arm(h->wake, 0, TOGETHER);
	if (requests)
		wake_all(h, endpoint_look);
}

static struct event *timer_of(struct hooks *h, event_callback_fn call)
{
	struct event *timer = evtimer_new(h->env.base, call, h);

	if (!timer)
		abort();
	return timer;
}

static void name_source(struct hooks *h)
{
	unsigned char bytes[16];
	size_t i;

	os_random(bytes, sizeof(bytes));
	uuid_from_random(&h->instance, bytes);
	if (gethostname(h->host, sizeof(h->host)) < 0)
		h->host[0] = '\0';
	h->host[sizeof(h->host) - 1] = '\0';
	for (i = 0; h->host[i]; i++)
		if ((unsigned char)h->host[i] <= ' ' || (unsigned char)h->host[i] >= 0x7f || strchr("\"\\/", h->host[i]))
			h->host[i] = '_';
	h->env.source = (struct format_source){ .host = h->host[0] ? h->host : "localhost", .instance = h->instance.s };
}

struct hooks *hooks_open(struct event_base *base, struct client *c, struct workers *w, const char *root, const struct config_endpoint *endpoints,
			 size_t count, struct str *why)
{
	cleanup_fd int dirfd = os_open(AT_FDCWD, root, O_RDONLY | O_DIRECTORY, 0);
	struct hooks *h;

	if (dirfd < 0) {
		str_addf(why, "cannot open the store %s: %s", root, strerror(errno));
		return NULL;
	}
	h = xcalloc(1, sizeof(*h));
	h->dirfd = dirfd;
	dirfd = -1;
	h->env = (struct endpoint_env){ .base = base, .client = c, .workers = w, .dirfd = h->dirfd };
	h->root = root;
	h->cf = endpoints;
	h->count = count;
	h->lock = h->journal = h->readers = -1;
	name_source(h);
	h->tick = timer_of(h, on_tick);
	h->wake = timer_of(h, on_wake);
	h->notify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (h->notify >= 0) {
		h->noticed = event_new(base, h->notify, EV_READ | EV_PERSIST, on_notify, h);
		if (!h->noticed || event_add(h->noticed, NULL) < 0)
			abort();
	}
	arm(h->tick, 0, 0);
	return h;
}

void hooks_close(struct hooks **ph)
{
	struct hooks *h = *ph;
	size_t i;

	if (!h)
		return;
	for (i = 0; h->v && i < h->count; i++)
		endpoint_close(&h->v[i]);
	free(h->v);
	if (h->noticed)
		event_free(h->noticed);
	event_free(h->tick);
	event_free(h->wake);
	os_cleanup_fd(&h->notify);
	os_cleanup_fd(&h->lock);
	os_cleanup_fd(&h->dirfd);
	free(h);
	*ph = NULL;
}
