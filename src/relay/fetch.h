/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_RELAY_FETCH_H
#define BERTH_RELAY_FETCH_H

/* fetch: what the fetches of manifests, blobs and lists share. */

#include <stdint.h>
#include "relay/server.h"
#include "relay/upstream.h"

struct event_base;
struct workers;

struct fetch_counts {                   /* since the relay began */
	uint64_t manifests, blobs;      /* fetched and found right */
	uint64_t checked;               /* tags that upstream confirmed */
	uint64_t coalesced;             /* requests that came while the same was fetched */
	uint64_t ahead;                 /* manifests and blobs of `platforms`, fetched before they were asked for */
	uint64_t wrong;                 /* bytes that had another digest, or are no manifest */
	uint64_t resumed;               /* downloads that broke off and went on */
	uint64_t refused;               /* by a worker */
	uint64_t unanswered;            /* requests that are left to a copy, or to nobody, because upstream failed */
};

struct fetch_env {                      /* borrowed until the fetches are closed */
	struct event_base *base;
	struct workers *workers;
	int dirfd;                      /* the store's root */
	uint64_t max_manifest, max_blob;        /* bytes, as configured; of blobs 0: no limit */
	uint64_t max_cache;             /* "cache.max_size"; 0: no limit */
	struct fetch_counts *counts;
};

struct fetch_ask {                      /* what nginx brought; borrowed */
	struct upstream *u;
	const char *repo;               /* the repository here, a valid name */
	const char *name;               /* the repository there, a valid name */
	const char *id;                 /* of the request */
};

/* fetch_log - an event "upstream": what could not be had, and why; what: a tag or digest; kind: UPSTREAM_OK where the fault is not upstream's */
void fetch_log(const struct fetch_ask *a, const char *what, enum upstream_kind kind, const char *why);

/* fetch_encoded - whether an answer's body is not the content itself, but for example compressed */
bool fetch_encoded(const struct client_answer *http);

#endif
