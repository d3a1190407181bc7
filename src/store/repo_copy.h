/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REPO_COPY_H
#define BERTH_STORE_REPO_COPY_H

/*
 * repo_copy: moving a repository that cannot be renamed as a whole, since others are nested in it.
 *
 * The layer links, all of them small files, are copied; then _manifests/, with every tag, moves by one rename. So at no
 * moment, and after no crash, does a manifest lack its layers, or a tag its manifest, under the name that has them.
 *
 *     repo_copy_begin             needs locks/run only, which keeps collections away; this is the long part
 *     repo_copy_place             needs all locks, see below
 *     repo_copy_end               in any case, without any lock
 */

#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

struct repo_copy {
	struct store *st;               /* borrowed, as are both names */
	const struct name *from, *to;
	struct str dir;                 /* the copy of _layers/, below berth/tmp/; empty: not begun */
	struct digestset have;          /* the digests whose links are in the copy */
	struct digestset now;           /* the digests that the repository had links for at the last look */
	bool last;                      /* writers are excluded */
	size_t added;
};

#define REPO_COPY_INIT { .dir = STR_INIT }

/*
 * repo_copy_begin - copy the layer links, then those that were added meanwhile, until few are left; flushed
 * The caller sets st, from and to.
 */
int repo_copy_begin(struct repo_copy *c, struct err *e);

/*
 * repo_copy_place - copy the last changes, then publish links and manifests under the other name, durably
 * The caller holds both repositories' locks, the collector's exclusively and the catalog's; the catalog has `to` already.
 * `to` has no manifests (repo_has_manifests). Of `from`, layer links and uploads are left, for repo_take to remove.
 * On failure the manifests are where they were.
 */
int repo_copy_place(struct repo_copy *c, struct err *e);

void repo_copy_end(struct repo_copy *c);

/* repo_has_manifests - whether _manifests/ exists and is not empty, as in every repository that was ever used: 1, 0, -1 */
int repo_has_manifests(struct store *st, const struct name *n, struct err *e);

/*
 * repo_is_copied - whether repo_copy_place was completed: `from` has no _manifests/, and `to` has all of its layer links
 * Returns 1, 0, or -1 with *e.
 */
int repo_is_copied(struct store *st, const struct name *from, const struct name *to, struct err *e);

#endif
