/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_PLAN_H
#define BERTH_CARE_EVICT_PLAN_H

/* evict_plan: what mirrors have, when it was last pulled, and what of it goes (doc/CACHE.md, "What is kept"). Removes nothing. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/digestlist.h"
#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "care/gc_work.h"
#include "os/dir.h"

enum evict_kind { EVICT_MANIFEST, EVICT_LAYER };

struct evict_link {                     /* of a mirrored repository */
	struct digest d;                /* of its name, and of its content */
	size_t repository;              /* index in the names */
	enum evict_kind kind;
	int64_t last;                   /* when it was made, or last pulled: seconds since the epoch, pulls to the hour */
	bool pinned;
	bool goes, gone;
};

struct evict_content {                  /* of one link or more */
	size_t first, count;            /* of its links, which stand together */
	size_t left;                    /* links that are not removed */
	uint64_t size;                  /* bytes; 0 unless only mirrors have it */
	int64_t last;                   /* of its links, the latest */
	bool alone, pinned;
};

struct evict_plan {
	struct names names;             /* of the repositories */
	struct evict_link *links;       /* owned, by content */
	size_t nlinks, cap;
	struct evict_content *contents; /* owned */
	size_t ncontents;
	uint64_t size;                  /* of all content that only mirrors have */
	struct digestset held;          /* content that stays: of copies without an upstream, and of links that have another digest's name */
	struct digest_list pending;     /* content without a link, which an earlier eviction did not come to */
	uint64_t pending_size;
};

#define EVICT_PLAN_INIT { .names = NAMES_INIT, .pending = DIGEST_LIST_INIT }

void evict_plan_release(struct evict_plan *p);
#define cleanup_evict_plan __attribute__((cleanup(evict_plan_release)))

/* evict_plan_read - read the links of all copies (store/mirror.h), and of no other repositories; 0, or -1 with *e */
int evict_plan_read(struct evict_plan *p, struct gc_work *w, struct err *e);

/*
 * evict_plan_idle - the links that nobody pulled for so many seconds go; now: by the clock of the file system
 * evict_plan_size - beyond `max` bytes the content whose last pull is longest ago goes, until 90 % of that are left
 * Neither touches what is pinned. If nobody pulled or fetched anything for so long, the clock may be wrong, and nothing goes by idle.
 */
void evict_plan_idle(struct evict_plan *p, uint64_t idle, int64_t now);
void evict_plan_size(struct evict_plan *p, uint64_t max);

/* evict_plan_all_go - whether all links of this content go */
bool evict_plan_all_go(const struct evict_plan *p, const struct evict_content *c);

/*
 * evict_plan_drop - a tag or a manifest goes, pinned or not, and what nothing else in the repository needs; ref NULL: all of the repository
 * Returns 1; 0 if it is not here; -1 with *e.
 */
int evict_plan_drop(struct evict_plan *p, struct gc_work *w, const struct name *n, const struct ref *ref, struct err *e);

/* evict_last - when a manifest of a mirror was handed over, or last pulled: 1, 0 it is not there, -1 with *e */
int evict_last(struct gc_work *w, const struct name *n, const struct digest *d, int64_t *when, struct digest *content, struct err *e);

#endif
