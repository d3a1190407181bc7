/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REPO_COPY_H
#define BERTH_STORE_REPO_COPY_H

/*
 * repo_copy: another name for a repository that can't be moved as a whole, since others are nested in it.
 *
 * The layer links are copied, small files all of them; _manifests/, with every tag, then moves by one rename. So there
 * is no moment, and no crash, in which a manifest lacks its layers, or a tag its manifest, under the name that has them.
 *
 *     repo_copy_begin             no lock is needed but locks/run, which keeps collections away: this is the long part
 *     repo_copy_place             all locks are held, see below
 *     repo_copy_end               in any case, and with no lock held
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
	struct digestset have;          /* whose links are in the copy */
	struct digestset now;           /* whose links the repository has, as the last look told */
	bool last;                      /* nothing changes any more */
	size_t added;
};

#define REPO_COPY_INIT { .dir = STR_INIT }

/*
 * repo_copy_begin - copy the layer links, and again what came meanwhile, until that is little; flushed
 * st, from and to are set by the caller.
 */
int repo_copy_begin(struct repo_copy *c, struct err *e);

/*
 * repo_copy_place - what changed since, then the links and the manifests under the other name, durably
 * The caller holds both repositories' locks, the collector's exclusively and the catalog's, which knows `to` already.
 * `to` has no manifests (repo_has_manifests). What is left of `from` are layer links and uploads: repo_take.
 * On failure the manifests are where they were.
 */
int repo_copy_place(struct repo_copy *c, struct err *e);

void repo_copy_end(struct repo_copy *c);

/* repo_has_manifests - whether _manifests/ is there and not empty, as it is in every repository that was ever used */
int repo_has_manifests(struct store *st, const struct name *n, struct err *e);

/*
 * repo_is_copied - whether `from` is what repo_copy_place leaves: no _manifests/, and no layer link that `to` lacks
 * Returns 1, 0, or -1 with *e.
 */
int repo_is_copied(struct store *st, const struct name *from, const struct name *to, struct err *e);

#endif
