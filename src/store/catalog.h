/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_CATALOG_H
#define BERTH_STORE_CATALOG_H

/*
 * catalog: the names of all repositories in byte order, below berth/index/_catalog/, so that a page costs what it holds.
 *
 * Like every index it may name too much: a repository counts only if it exists. A name is in it before the directories
 * of the repository are made, under the catalog's own lock, which is the innermost of all.
 */

#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

/*
 * catalog_lock - exclude other changes of the catalog; *fd is owned, closing it lets go (cleanup_fd)
 * catalog_add  - a repository is about to be made; durable. The caller holds the lock until the directories are there.
 */
int catalog_lock(struct store *st, int *fd, struct err *e);
int catalog_add(struct store *st, const struct name *n, struct err *e);

/*
 * catalog_ensure - enter the repository in the catalog, then create its missing directories, _layers/ first; takes the lock
 * The directories are not flushed: the caller flushes upwards from the link that it publishes in them. The caller holds
 * lock_collector, so that nobody removes or moves the repository.
 */
int catalog_ensure(struct store *st, const struct name *n, struct err *e);

/* catalog_remove - the repository is gone: take its name out, unless it has come back. Not flushed. Takes the lock. */
int catalog_remove(struct store *st, const struct name *n, struct err *e);

/*
 * catalog_walk - as repo_walk, without reading what lies before or between; a name may be that of no repository: repo_exists()
 * The first call in an epoch compares the catalog with the directories. On a read-only store, where nothing can be
 * kept, it is repo_walk itself; and while somebody else is busy with a catalog that is not compared yet, for which no
 * reader waits.
 */
int catalog_walk(struct store *st, const char *after, int (*visit)(void *arg, const struct name *n, struct err *e),
		 void *arg, struct err *e);

/* catalog_current - whether the catalog was compared with the directories in this epoch: 1, 0, or -1 with *e */
int catalog_current(struct store *st, struct err *e);

/* catalog_make_current - compare it where that has not been done in this epoch; takes the lock */
int catalog_make_current(struct store *st, struct err *e);

/* catalog_rebuild - compare the catalog with the directories, whatever the epoch says */
int catalog_rebuild(struct store *st, struct err *e);

#endif
