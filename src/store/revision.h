/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REVISION_H
#define BERTH_STORE_REVISION_H

/* revision: the links that say which manifests a repository has. */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"
#include "store/walk.h"

/* revision_read - the digest that the repository's link for d holds; 1 found, 0 absent, -1 with *e */
int revision_read(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/* revision_find - the same for a reader, in fewer calls: see link_find */
int revision_find(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/*
 * revision_linked - whether the digest's directory holds a link, whatever is in it
 * 1; 0 without one, as registry:2 leaves it when it deletes a manifest; -1 with *e.
 */
int revision_linked(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/*
 * revision_hold - for a promise, as blob_find with touch: link and content are there, and made young for the collector
 * The caller holds lock_collector. 1, 0 one of them is absent or spoilt, -1 with *e.
 */
int revision_hold(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/*
 * revision_set - link the manifest d, whose content is in place and flushed; durable, up to repositories/
 * The caller holds the repository's lock and the collector's.
 */
int revision_set(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/* revision_flush - vouch on disk for every revision link of this algorithm that was seen; the caller holds lock_collector */
int revision_flush(struct store *st, const struct name *n, enum digest_alg alg, struct err *e);

/* revision_remove - take the link away, durably; the caller holds the repository's lock and has removed its tags */
int revision_remove(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/*
 * The same in two steps, for many of them: the caller holds the repository's lock, and nothing points to them.
 * revision_collect    - take one link away; 1, 0 absent, -1 with *e
 * trashed  gets the path to give to revision_purge, or nothing where the disk is so full that it was removed in place
 * revision_flush_gone - make all removals durable
 * revision_purge      - empty the trash of one
 */
int revision_collect(struct store *st, const struct name *n, const struct digest *d, struct str *trashed, struct err *e);
int revision_flush_gone(struct store *st, const struct name *n, struct err *e);
void revision_purge(struct store *st, const char *trashed);

/*
 * revision_walk - visit the digests of a repository's manifests
 * A directory without a link is visited too. What visit returns other than 0 ends the walk and comes back.
 */
int revision_walk(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e);

/*
 * revision_age - when link or content was last made young, in seconds since the epoch; 1, 0 without a link, -1 with *e
 * target  what the link holds, as link_age tells it
 */
int revision_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		 struct err *e);

#endif
