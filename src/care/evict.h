/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_H
#define BERTH_CARE_EVICT_H

/*
 * evict: remove what the cache of other registries has too much of (doc/CACHE.md, "What is kept").
 *
 * An eviction is a collection of its own (store/collector.h): one at a time on all machines, beside writers, in batches. It reads the mirrored
 * repositories, and no other ones, but for once in an epoch (store/alone.h).
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

struct evict_result {
	uint64_t manifests, links, blobs;       /* that were removed: blobs are content */
	uint64_t bytes;                         /* of that content */
	uint64_t kept;                          /* bytes that only mirrors have, afterwards */
};

/*
 * evict_run - remove what `cache.idle` and `cache.max_size` let go; nothing where the registry is read-only
 * Returns 1, 0 if a collection is running, -1 with *e: some of it may still be there.
 */
int evict_run(struct registry *r, struct evict_result *out, struct err *e);

/* evict_within - the same within a collection of the caller, which has just begun. 0, or -1 with *e */
struct gc_work;
int evict_within(struct gc_work *w, struct evict_result *out, struct err *e);

/*
 * evict_drop - forget a tag or a manifest of a mirrored repository, and what nothing else there needs, pinned or not; ref NULL: the whole repository
 * Returns 1, 0 if it is not here, -1 with *e: UNAVAILABLE 503 while a collection runs.
 */
int evict_drop(struct registry *r, const struct name *n, const struct ref *ref, struct evict_result *out, struct err *e);

/* evict_log - write it to the log as one event, if anything was removed */
void evict_log(const struct evict_result *r, uint64_t usec);

#endif
