/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_SIZES_H
#define BERTH_CARE_EVICT_SIZES_H

/*
 * evict_sizes: what the mirrors of each upstream had when the last eviction ended (doc/CACHE.md, "What only mirrors have").
 *
 * berth/mirror/_sizes: "berth-mirrors 1 SECONDS\n", then "BYTES NAME\n" for each upstream, then "end\n": without that line it counts for nothing.
 * It is for people to read, and is not flushed.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "care/evict_plan.h"
#include "store/dated.h"
#include "store/store.h"

/* evict_sizes_write - write it down, after evict_remove(); 0, or -1 with *e. What mirrors of several upstreams have counts for each of these */
int evict_sizes_write(const struct evict_plan *p, struct gc_work *w, struct err *e);

/*
 * evict_sizes_read - read the file: 1, 0 there is none, -1 with *e
 * evict_sizes_find - the bytes of the upstream of this name: whether there was one
 */
int evict_sizes_read(struct store *st, struct dated *s, struct err *e);
bool evict_sizes_find(const struct dated *s, const char *name, uint64_t *bytes);

#endif
