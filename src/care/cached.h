/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_CACHED_H
#define BERTH_CARE_CACHED_H

/* cached: what is here of other registries (doc/CACHE.md, "Commands"). Reads without locks: what changes meanwhile may be told either way. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "conf/upstream.h"
#include "registry/registry.h"

struct cached_tag {
	struct tag tag;
	struct digest digest;           /* only with `here` */
	bool here;                      /* the tag is cached; else it is pinned, and not here yet */
	bool pinned;
	int64_t checked, pulled;        /* when, in seconds since the epoch, pulls to the hour; 0: never */
};

struct cached {
	struct name n;
	const struct config_upstream *upstream;
	const struct cached_tag *tags;  /* in byte order, borrowed until visit returns */
	size_t ntags;
	uint64_t manifests, blobs;      /* that the repository has */
	uint64_t bytes;                 /* of both; content that other repositories have, too, counts */
	int64_t pulled;                 /* the last pull of any manifest or blob, to the hour; 0: none is known */
};

struct cached_total {
	uint64_t repositories, tags, manifests, blobs;
	uint64_t bytes;                 /* content that several repositories share counts in each of them */
};

/*
 * cached_each - visit the mirrored repositories, of each upstream in byte order of their names
 * u      only those of this upstream; NULL: all
 * visit  returns 0 to go on; any other value ends the walk and is returned
 * total  the sum of what was visited
 */
int cached_each(struct registry *r, const struct config_upstream *u, int (*visit)(void *arg, const struct cached *c, struct err *e), void *arg,
		struct cached_total *total, struct err *e);

#endif
