/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay: the loop, its signals and its parts.
 *
 * Owns the configuration and the parts that work by it. Invariant: all parts belong to one configuration; a new one replaces all of them.
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
#include "relay/hooks.h"
#include "relay/workers.h"

struct relay {
	const struct relay_options *o;
	struct event_base *base;
	struct config *cfg;
	struct client *client;
	struct workers *workers;
	struct hooks *hooks;            /* NULL: there are no endpoints */
	struct cache *cache;            /* NULL: there are no upstreams */
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

static void close_parts(struct relay *r)
{
	cache_close(&r->cache);
	hooks_close(&r->hooks);
	workers_close(&r->workers);
	client_close(&r->client);
}

static bool open_cache(struct relay *r, const struct config *cfg, struct str *why)
{
	const struct cache_options o = {
		.base = r->base, .client = r->client, .workers = r->workers, .root = cfg->root, .socket = r->o->listen, .upstreams = cfg->upstreams,
		.count = cfg->nupstreams, .max_manifest = cfg->max_manifest, .max_blob = cfg->max_blob, .max_cache = cfg->cache.max,
	};

	r->cache = cache_open(&o, why);
	return r->cache != NULL;
}

/* 0, or -1 with *why: then nothing is open. */
static int open_parts(struct relay *r, const struct config *cfg, struct str *why)
{
	bool ok = true;

	if (!cfg->nendpoints && !cfg->nupstreams)
		return 0;
	r->client = client_open(r->base);
	r->workers = workers_open(r->base, r->o->workers);
	if (cfg->nendpoints) {
		r->hooks = hooks_open(r->base, r->client, r->workers, cfg->root, cfg->endpoints, cfg->nendpoints, why);
		ok = r->hooks != NULL;
	}
	if (ok && cfg->nupstreams)
		ok = open_cache(r, cfg, why);
	if (ok)
		return 0;
	close_parts(r);
	return -1;
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

/* The parts of the old configuration end first: one relay alone may have the lock of the journal's readers. */
static void on_reload(evutil_socket_t sig, short what, void *arg)
{
	cleanup_str struct str why = STR_INIT;
	cleanup_config struct config *old = NULL;
	struct relay *r = arg;
	struct config *cfg = relay_config(r->o, &why);

	(void)sig;
	(void)what;
	if (cfg) {
		close_parts(r);
		old = r->cfg;
		r->cfg = cfg;
		if (open_parts(r, cfg, &why) == 0) {
			begin(r, "configuration read");
			return;
		}
		r->cfg = STEAL(old);
		old = cfg;
	}
	log_say(LOG_ERROR, "configuration", "%s; the old one stays", why.buf);
	log_set_level(r->cfg->log_level);
	log_set_fields(r->cfg->log_fields);
	if (!cfg || open_parts(r, r->cfg, &r->why) == 0)
		return;
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
	r.base = event_base_new();
	if (!r.base)
		abort();
	rc = open_parts(&r, cfg, why);
	if (rc == 0)
		rc = serve(&r, why);
	close_parts(&r);
	event_base_free(r.base);
	libevent_global_shutdown();
	if (rc == 0)
		log_say(LOG_INFO, "relay", "stopped");
	config_close(&r.cfg);
	str_release(&r.why);
	return rc;
}
