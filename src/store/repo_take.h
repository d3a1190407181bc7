/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REPO_TAKE_H
#define BERTH_STORE_REPO_TAKE_H

/*
 * repo_take: a repository's directory taken away, or given another name.
 *
 * Whoever calls any of this holds the locks of all repositories concerned and the collector's exclusively: nothing
 * appears below repositories/ meanwhile, but for uploads in an _uploads/ that is there. Readers see one step or the
 * other. Repositories nested below are not touched.
 */

#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

/*
 * repo_take - the repository is gone, with its uploads, durably
 * trashed  gets the paths to give to store_purge, once the locks are let go
 *
 * As a whole by one rename where nothing but itself lies in its directory; else tags first, then uploads, manifests,
 * layer links. What an earlier call left is taken as well. Returns 0, or -1 with *e.
 */
int repo_take(struct store *st, const struct name *n, struct names *trashed, struct err *e);

/*
 * repo_movable - whether repo_move_whole can do it: 1, 0, or -1 with *e
 * Nothing else lies in the directory, `to` does not lie below it, and there is no directory `to` with anything in it.
 */
int repo_movable(struct store *st, const struct name *from, const struct name *to, struct err *e);

/*
 * repo_move_whole - the directory gets its other name by one rename, durably; the uploads under way go with it
 * The catalog knows `to` already, and the caller holds the catalog's lock.
 */
int repo_move_whole(struct store *st, const struct name *from, const struct name *to, struct err *e);

/*
 * repo_flush_above - vouch for a move or a removal that somebody made who may have died before its flush
 * Directories that are gone need none.
 */
int repo_flush_above(struct store *st, const struct name *n, struct err *e);

/*
 * repo_is_hollow - whether the directory holds no more than an empty _uploads/: 1, 0, or -1 with *e; looked at without a lock
 * repo_tidy      - remove such a directory, and what is empty above it: somebody began an upload there and did not finish
 *                  it. A repository stays as it is. The caller holds the collector's lock exclusively; all who make such
 *                  directories hold it shared until they have put something into them. A failure doesn't matter.
 * repo_tidy_now  - the same where nobody has that lock at this moment; else it is left to the collector
 */
int repo_is_hollow(struct store *st, const struct name *n, struct err *e);
void repo_tidy(struct store *st, const struct name *n);
void repo_tidy_now(struct store *st, const struct name *n);

/* repo_prune - remove the directories that are empty, from the repository's own upwards; a failure doesn't matter */
void repo_prune(struct store *st, const struct name *n);

#endif
