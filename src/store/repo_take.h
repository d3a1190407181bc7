/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REPO_TAKE_H
#define BERTH_STORE_REPO_TAKE_H

/*
 * repo_take: removing and moving the directories of repositories.
 *
 * The caller holds the locks of all repositories concerned, and the collector's exclusively: nothing is created below
 * repositories/ meanwhile, except uploads in an existing _uploads/. A reader sees the state before or after each step.
 * Nested repositories are not touched.
 */

#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

/*
 * repo_take - remove the repository with its uploads, durably
 * trashed  gets the paths to give to store_purge after the locks are released
 *
 * If its directory holds nothing else, one rename removes it; else tags first, then uploads, manifests and layer links. Also
 * completes an earlier call that was interrupted. Returns 0, or -1 with *e.
 */
int repo_take(struct store *st, const struct name *n, struct names *trashed, struct err *e);

/*
 * repo_movable - whether repo_move_whole is possible: 1, 0, or -1 with *e
 * It is if the directory holds nothing else, `to` is not below it, and the directory `to` is missing or empty.
 */
int repo_movable(struct store *st, const struct name *from, const struct name *to, struct err *e);

/*
 * repo_move_whole - rename the directory, durably; open uploads move with it
 * The catalog has `to` already, and the caller holds the catalog's lock.
 */
int repo_move_whole(struct store *st, const struct name *from, const struct name *to, struct err *e);

/*
 * repo_flush_above - make a move or a removal durable that another process may not have flushed before it died
 * Missing directories are skipped.
 */
int repo_flush_above(struct store *st, const struct name *n, struct err *e);

/*
 * repo_is_hollow - whether the directory holds nothing but an empty _uploads/: 1, 0, or -1 with *e; needs no lock
 * repo_tidy      - remove such a directory, left by an abandoned first upload, and empty ones above it. A repository is not
 *                  touched. The caller holds the collector's lock exclusively; whoever creates such directories holds it
 *                  shared until they are not empty. A failure does not matter.
 * repo_tidy_now  - the same if that lock is free now; else the collector does it later
 */
int repo_is_hollow(struct store *st, const struct name *n, struct err *e);
void repo_tidy(struct store *st, const struct name *n);
void repo_tidy_now(struct store *st, const struct name *n);

/* repo_prune - remove empty directories, from the repository's own upwards; a failure does not matter */
void repo_prune(struct store *st, const struct name *n);

#endif
