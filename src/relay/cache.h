/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_CACHE_H
#define BERTH_RELAY_CACHE_H

/* cache: the relay's part of the cache of other registries: what nginx asks for, and which module answers (doc/CACHE.md, "How it works"). */

#include "base/str.h"
#include "conf/upstream.h"

struct cache;
struct client;
struct event_base;
struct fetch_counts;
struct server;
struct workers;

struct cache_options {                  /* borrowed until cache_close() */
	struct event_base *base;
	struct client *client;
	struct workers *workers;
	const char *root;               /* the store */
	struct server *server;          /* where nginx asks */
	struct fetch_counts *counts;
	const struct config_upstream *upstreams;
	size_t count;
	uint64_t max_manifest, max_blob, max_cache;     /* bytes; of the last two 0: no limit */
};

/*
 * cache_open - answer nginx from now on; owned by the caller. NULL with one line in *why
 * before  that of the configuration that was in force until now; NULL: none. It goes on with what it has begun, until cache_close()
 */
struct cache *cache_open(const struct cache_options *o, const struct cache *before, struct str *why);

/* cache_busy - whether something is under way: an answer, a fetch, a handover */
bool cache_busy(const struct cache *c);

/* cache_close - stop; what is being answered is cut short. Another cache, or nobody, has to answer nginx by then */
void cache_close(struct cache **c);

#endif
