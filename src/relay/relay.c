/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the loop, its signals and its parts.
 *
 * Owns the configuration and the parts that work by it. Invariant: all parts belong to one configuration; a new one replaces
 * all of them, but for what is under way.
 */
#include "relay/relay.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "os/process.h"
#include "relay/cache.h"
#include "relay/client.h"
#include "relay/fetch.h"
#include "relay/hooks.h"
#include "relay/server.h"
#include "relay/workers.h"

#define RETIRED_MAX 16          /* of more reloads within the time of a download, the oldest one's are cut off */
#define LOOK_EVERY 1            /* seconds */

/* A cache that answers no new requests, and ends when those that it has are answered. */
struct retired {
	struct retired *next;
	struct cache *cache;
	struct config *cfg;
};

struct relay {
	const struct relay_options *o;
	struct event_base *base;
	struct config *cfg;
	struct client *client;
	struct workers *workers;
	struct hooks *hooks;            /* NULL: there are no endpoints */
	struct server *server;          /* NULL: there were no upstreams yet */
	struct cache *cache;            /* NULL: there are no upstreams */
	struct fetch_counts counts;
	struct retired *retired;        /* the one that retired last goes first */
	struct event *look;             /* at them */
	struct str why;                 /* it cannot go on; "": it can */
};

struct config *relay_config(const struct relay_options *o, struct str *why)
{
	struct config *cfg = config_load(o->config_file, environ, NULL, why);

	if (cfg && o->root && config_set_root(cfg, o->root, why) < 0)
		config_close(&cfg);
	if (cfg) {
		log_set_level(cfg->log_level);
		log_set_fields(cfg->log_fields);
	}
	return cfg;
}

/* --- the parts */

/* Those behind the first `keep` that are idle, or with `all` all of them. */
static void end_retired(struct relay *r, size_t keep, bool all)
{
	struct retired **at = &r->retired, *one;

	while ((one = *at)) {
		if (!all && keep && cache_busy(one->cache)) {
			keep--;
			at = &one->next;
			continue;
		}
		*at = one->next;
		cache_close(&one->cache);
		config_close(&one->cfg);
		free(one);
	}
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = { .tv_sec = LOOK_EVERY };
	struct relay *r = arg;

	(void)fd;
	(void)what;
	end_retired(r, RETIRED_MAX, false);
	if (r->retired)
		evtimer_add(r->look, &tv);
}

/* What the cache has begun goes on, by the configuration that was in force: a reload harms no download. */
static void retire(struct relay *r, struct cache *cache, struct config *cfg)
{
	struct retired *one = xcalloc(1, sizeof(*one));

	*one = (struct retired){ .next = r->retired, .cache = cache, .cfg = cfg };
	r->retired = one;
	on_look(-1, 0, r);
}

static bool open_cache(struct relay *r, const struct config *cfg, const struct cache *before, struct str *why)
{
	const struct cache_options o = {
		.base = r->base, .client = r->client, .workers = r->workers, .root = cfg->root, .upstreams = cfg->upstreams,
		.count = cfg->nupstreams, .max_manifest = cfg->max_manifest, .max_blob = cfg->max_blob, .max_cache = cfg->cache.max,
		.counts = &r->counts, .server = r->server ? r->server : server_open(r->base, r->o->listen, why),
	};

	r->server = o.server;
	r->cache = r->server ? cache_open(&o, before, why) : NULL;
	return r->cache != NULL;
}

/* 0, or -1 with *why: then neither hooks nor cache are open. before: the cache that answers until now; NULL: none */
static int open_parts(struct relay *r, const struct config *cfg, const struct cache *before, struct str *why)
{
	if (cfg->nendpoints)
		r->hooks = hooks_open(r->base, r->client, r->workers, cfg->root, cfg->endpoints, cfg->nendpoints, why);
	if ((!cfg->nendpoints || r->hooks) && (!cfg->nupstreams || open_cache(r, cfg, before, why))) {
		if (!r->cache && r->server)
			server_serve(r->server, NULL, NULL);
		return 0;
	}
	hooks_close(&r->hooks);
	return -1;
}

static void open_all(struct relay *r)
{
	r->base = event_base_new();
	r->look = r->base ? evtimer_new(r->base, on_look, r) : NULL;
	if (!r->look)
		abort();
	r->client = client_open(r->base);
	r->workers = workers_open(r->base, r->o->workers);
}

static void close_all(struct relay *r)
{
	hooks_close(&r->hooks);
	end_retired(r, 0, true);
	cache_close(&r->cache);
	server_close(&r->server);
	workers_close(&r->workers);
	client_close(&r->client);
	event_free(r->look);
	event_base_free(r->base);
}

static void begin(struct relay *r, const char *how)
{
	log_say(LOG_INFO, "relay", "%s, store %s, %zu endpoints, %zu upstreams", how, r->cfg->root, r->cfg->nendpoints, r->cfg->nupstreams);
}

/* --- signals */

static void on_end(evutil_socket_t sig, short what, void *arg)
{
	struct relay *r = arg;

	(void)sig;
	(void)what;
	event_base_loopbreak(r->base);
}

/*
 * The hooks of the old configuration end first: one relay alone may have the lock of the journal's readers. The cache stays until there is
 * another one.
 */
static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	cleanup_str struct str why = STR_INIT;
	struct relay *r = arg;
	struct config *cfg = relay_config(r->o, &why);
	struct cache *before = r->cache;

	(void)sig;
	(void)what;
	if (cfg) {
		hooks_close(&r->hooks);
		r->cache = NULL;
		if (open_parts(r, cfg, before, &why) == 0) {
			if (before)
				retire(r, before, r->cfg);
			else
				config_close(&r->cfg);
			r->cfg = cfg;
			begin(r, "configuration read");
			return;
		}
		r->cache = before;
		config_close(&cfg);
	}
	log_say(LOG_ERROR, "configuration", "%s; the old one stays", why.buf);
	log_set_level(r->cfg->log_level);
	log_set_fields(r->cfg->log_fields);
	if (r->hooks || !r->cfg->nendpoints)
		return;
	r->hooks = hooks_open(r->base, r->client, r->workers, r->cfg->root, r->cfg->endpoints, r->cfg->nendpoints, &r->why);
	if (!r->hooks)
		event_base_loopbreak(r->base);
}

static void on_library(int severity, const char *message)
{
	log_say(severity == EVENT_LOG_ERR ? LOG_ERROR : severity == EVENT_LOG_WARN ? LOG_WARN : LOG_DEBUG, "relay", "%s", message);
}

static void hold(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(how, &set, NULL);
}

void relay_hold_signals(void)
{
	hold(SIG_BLOCK);
}

static int serve(struct relay *r, struct str *why)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };
	struct event *on[ARRAY_LEN(signals)];
	size_t i;

	for (i = 0; i < ARRAY_LEN(signals); i++) {
		on[i] = evsignal_new(r->base, signals[i], signals[i] == SIGHUP ? on_reload : on_end, r);
		if (!on[i] || evsignal_add(on[i], NULL) < 0)
			abort();
	}
	hold(SIG_UNBLOCK);
	begin(r, "started");
	os_notify_ready();
	event_base_dispatch(r->base);
	for (i = 0; i < ARRAY_LEN(signals); i++)
		event_free(on[i]);
	str_puts(why, r->why.buf);
	return r->why.len ? -1 : 0;
}

int relay_run(const struct relay_options *o, struct config *cfg, struct str *why)
{
	struct relay r = { .o = o, .cfg = cfg, .why = STR_INIT };
	int rc;

	os_signal(SIGPIPE, SIG_IGN);
	log_keep_pid();
	event_set_log_callback(on_library);
	open_all(&r);
	rc = open_parts(&r, cfg, NULL, why);
	if (rc == 0)
		rc = serve(&r, why);
	close_all(&r);
	libevent_global_shutdown();
	if (rc == 0)
		log_say(LOG_INFO, "relay", "stopped");
	config_close(&r.cfg);
	str_release(&r.why);
	return rc;
}
