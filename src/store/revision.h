/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REVISION_H
#define BERTH_STORE_REVISION_H

/* revision: the links that say which manifests a repository has. */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"
#include "store/walk.h"

/* revision_read - the digest in the repository's link for d; 1, 0 absent, -1 with *e */
int revision_read(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/* revision_find - the same for a reader, in fewer calls: see link_find */
int revision_find(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e);

/*
 * revision_linked - whether the digest's directory holds a link, whatever its content
 * Returns 1; 0 without one (registry:2 leaves the directory when it deletes a manifest); -1 with *e.
 */
int revision_linked(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/*
 * revision_pin - check that link and content exist, and refresh their mtimes so that the collector keeps them
 * size  gets the content's, in bytes
 * The caller holds lock_collector. 1, 0 one of them is absent or corrupt, -1 with *e.
 */
int revision_pin(struct store *st, const struct name *n, const struct digest *d, struct digest *target, uint64_t *size,
		 struct err *e);

/*
 * revision_touch - give the link a new modification time: a manifest that loses its last tag counts as young from then on
 * A failure does not matter.
 */
void revision_touch(struct store *st, const struct name *n, const struct digest *d);

/* revision_size - the size of a manifest's content, in bytes: 1, 0 link or content is absent or corrupt, -1 with *e */
int revision_size(struct store *st, const struct name *n, const struct digest *d, uint64_t *size, struct err *e);

/*
 * revision_set - link the manifest d, whose content is in place and flushed; durable, up to repositories/
 * The caller holds the repository's lock and lock_collector.
 */
int revision_set(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/* revision_flush - make all revision links of this algorithm durable; the caller holds lock_collector */
int revision_flush(struct store *st, const struct name *n, enum digest_alg alg, struct err *e);

/* revision_remove - remove the link, durably; the caller holds the repository's lock and has removed its tags */
int revision_remove(struct store *st, const struct name *n, const struct digest *d, struct err *e);

/*
 * The same in steps, for many links: the caller holds the repository's lock, and no tag points to them.
 * revision_collect    - move one link to the trash; 1, 0 absent, -1 with *e
 * trashed  gets the path to give to revision_purge; empty if the disk was so full that the link was removed in place
 * revision_flush_gone - make all removals durable
 * revision_purge      - delete one from the trash
 */
int revision_collect(struct store *st, const struct name *n, const struct digest *d, struct str *trashed, struct err *e);
int revision_flush_gone(struct store *st, const struct name *n, struct err *e);
void revision_purge(struct store *st, const char *trashed);

/*
 * revision_walk - visit the digests of a repository's manifests, including directories without a link
 * If visit returns anything but 0, the walk ends and returns that.
 */
int revision_walk(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e);

/*
 * revision_age - the later mtime of link and content, in seconds since the epoch; 1, 0 without a link, -1 with *e
 * target  the digest in the link, as link_age tells it
 */
int revision_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		 struct err *e);

#endif
