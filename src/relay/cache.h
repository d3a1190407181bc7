/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_CACHE_H
#define BERTH_RELAY_CACHE_H

/* cache: the relay's part of the cache of other registries: what nginx asks for, and which module answers (doc/CACHE.md, "How it works"). */

#include "conf/upstream.h"
#include "base/str.h"

struct cache;
struct client;
struct event_base;
struct workers;

struct cache_options {                  /* borrowed until cache_close() */
	struct event_base *base;
	struct client *client;
	struct workers *workers;
	const char *root;               /* the store */
	const char *socket;             /* where nginx asks */
	const struct config_upstream *upstreams;
	size_t count;
	uint64_t max_manifest, max_blob, max_cache;     /* bytes; of the last two 0: no limit */
};

/* cache_open - serve nginx; owned by the caller. NULL with one line in *why */
struct cache *cache_open(const struct cache_options *o, struct str *why);

/* cache_close - stop; what is being answered is cut short */
void cache_close(struct cache **c);

#endif
