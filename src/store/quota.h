/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_H
#define BERTH_STORE_QUOTA_H

/*
 * quota: counting what a group of repositories has, each time a link is made or removed (doc/STORE.md, "Quotas").
 *
 *	cleanup_quota struct quota_change c = QUOTA_CHANGE_INIT;
 *	if (quota_begin_link(&c, st, n, QUOTA_LAYER, d, target, size, e) < 0) ...       refused, or the table cannot be written
 *	... make the link ...
 *	quota_done(&c);         if it was made; without it the disk is looked at
 *	quota_end(&c);          before anything slow; the lock of the group is held until then
 *
 * The caller holds lock_collector, shared or alone. Where a repository is in no group, nothing of this is a system call.
 */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/quota_hold.h"
#include "store/store.h"

struct quota_change {
	struct quota_hold hold;
	bool counts;            /* an intent is written down */
	bool adds, done;
};

#define QUOTA_ASK UINT64_MAX    /* as a size: look at the content */

#define QUOTA_CHANGE_INIT { .hold = QUOTA_HOLD_INIT }

/*
 * quota_begin_link - the repository is about to get a link: `called` names its directory, `target` stands in it, and the content, which is
 *                    there already, has `size` bytes (or QUOTA_ASK). It may have the link already
 * DENIED 403 if the group would have more than its limit. UNAVAILABLE 503 if its lock stays busy.
 */
int quota_begin_link(struct quota_change *c, struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called,
		     const struct digest *target, uint64_t size, struct err *e);
void quota_done(struct quota_change *c);
void quota_end(struct quota_change *c);
#define cleanup_quota __attribute__((cleanup(quota_end)))

/*
 * quota_unlink - take a link from a repository, and count that
 * away  takes the link's directory away: 1, 0 there is none, -1 with *e; `trashed` is for it
 *
 * On a file system of several machines, where others go on after a power cut, what is counted has to be on disk before the count: there the
 * directory above is flushed, as the caller of quota_done() has flushed the link. Returns as `away`; UNAVAILABLE 503 as above.
 */
typedef int quota_away(struct store *st, const char *dir, struct str *trashed, struct err *e);
int quota_unlink(struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called, quota_away *away,
		 struct str *trashed, struct err *e);

/*
 * quota_fits - whether content of this size may be added to a repository, before anything is done
 * d  its digest, if it is known: what the group has already needs no room; else NULL
 * Nothing is reserved. DENIED 403. Needs no lock, but for the group's where that is close to its limit, or not counted yet.
 */
int quota_fits(struct store *st, const struct name *n, const struct digest *d, uint64_t size, struct err *e);

/* quota_fits_all - the same for several contents that are in the store, together */
int quota_fits_all(struct store *st, const struct name *n, const struct digest *v, size_t count, struct err *e);

/* quota_prepare - count the group of a repository, unless it is counted: before locks are taken that others wait for */
int quota_prepare(struct store *st, const struct name *n, struct err *e);

/*
 * quota_repair - what fsck does to a repository's links is not counted one by one: the group's table is none from now on. Its lock is held
 *                until quota_release(), so that nobody counts meanwhile
 * quota_repair_all - the same for all groups, before content is moved away; no lock is held afterwards
 */
int quota_repair(struct quota_hold *h, struct store *st, const struct name *n, struct err *e);
int quota_repair_all(struct store *st, struct err *e);

/*
 * quota_used - what the group of a repository has, and its limit by this process's configuration: 1, 0 it is in none, -1 with *e
 * As its table says, or else counted from the links; no lock is acquired.
 */
int quota_used(struct store *st, const struct name *n, uint64_t *used, uint64_t *limit, struct err *e);

/*
 * quota_sums - what the tables say of all groups that have a limit; those that nobody has counted yet are missing
 * 0, or -1 with *e. At most QUOTA_SUMS_MAX tables are read.
 */
#define QUOTA_SUMS_MAX 10000
struct quota_sums {
	uint64_t groups, warned;        /* warned: those that have QUOTA_WARN per cent of their limit, or more */
	uint64_t used, limit;           /* bytes */
};
int quota_sums(struct store *st, struct quota_sums *out, struct err *e);

/*
 * quota_check - whether the table of a repository's group says something else than the links: 1 with words for it added to *what; 0 it is
 *               right, or there is none that anybody believes; -1 with *e
 * Pushes to the group wait while it counts under the lock, which it does only if a count without the lock differs.
 */
int quota_check(struct store *st, const struct name *n, struct str *what, struct err *e);

/*
 * quota_crossed - whether a link that this process made since the last call brought a group from below QUOTA_WARN per cent of its
 *                 limit to that; the group's text is borrowed until the next change
 */
bool quota_crossed(struct store *st, const char **group, uint64_t *used, uint64_t *limit);

#endif
