/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_REPO_H
#define BERTH_STORE_REPO_H

/*
 * repo: repositories as directories.
 *
 * A repository exists from its first blob link or manifest on, and then has both _layers/ and _manifests/: registry:2 finds
 * repositories by the former, 3.x by the latter. An upload alone creates neither.
 */

#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

/*
 * repo_exists   - whether _layers/ or _manifests/ exists: 1, 0, or -1 with *e
 * repo_complete - whether all directories exist that catalog_ensure creates: 1, 0, or -1 with *e
 */
int repo_exists(struct store *st, const struct name *n, struct err *e);
int repo_complete(struct store *st, const struct name *n, struct err *e);

/*
 * repo_walk - visit repositories in byte order of their names
 * after  only names greater than this one (NULL or "": all); need not exist, need not be a valid name
 * visit  returns 0 to go on, anything else to stop; repo_walk then returns that
 *
 * Subtrees that lie wholly before `after` are not read. A repository that appears or disappears meanwhile may be visited;
 * every other one is visited exactly once.
 */
int repo_walk(struct store *st, const char *after, int (*visit)(void *arg, const struct name *n, struct err *e),
	      void *arg, struct err *e);

/* repo_walk_dirs - the same for every directory with a valid name, also if it holds nothing but uploads */
int repo_walk_dirs(struct store *st, int (*visit)(void *arg, const struct name *n, struct err *e), void *arg,
		   struct err *e);

#endif
