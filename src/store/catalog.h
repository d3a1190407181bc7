/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_CATALOG_H
#define BERTH_STORE_CATALOG_H

/*
 * catalog: the sorted names of all repositories, in berth/index/_catalog/; the last page costs no more than the first.
 *
 * Like every index it may name too much: a repository counts only if it exists. Its name is entered before its directories
 * are created, under the catalog's own lock, which is the innermost of all.
 */

#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

/*
 * catalog_lock - exclude other changes of the catalog; *fd is owned, closing it releases the lock (cleanup_fd)
 * catalog_add  - enter a repository that is about to be made; durable. The caller holds the lock until the directories exist.
 */
int catalog_lock(struct store *st, int *fd, struct err *e);
int catalog_add(struct store *st, const struct name *n, struct err *e);

/*
 * catalog_ensure - enter the repository in the catalog, then create its missing directories, _layers/ first; takes the lock
 * The directories are not flushed: the caller flushes upwards from the link that it publishes in them. The caller holds
 * lock_collector, so that nobody removes or moves the repository.
 */
int catalog_ensure(struct store *st, const struct name *n, struct err *e);

/* catalog_remove - remove the name of a removed repository, unless it exists again. Not flushed. Takes the lock. */
int catalog_remove(struct store *st, const struct name *n, struct err *e);

/*
 * catalog_walk - as repo_walk, but the cost does not depend on the position; the visitor calls repo_exists() if it matters
 * The first call in an epoch compares the catalog with the directories. On a read-only store, which cannot keep the result,
 * it calls repo_walk; so it does, to not make a reader wait, while another process compares.
 */
int catalog_walk(struct store *st, const char *after, int (*visit)(void *arg, const struct name *n, struct err *e),
		 void *arg, struct err *e);

/* catalog_current - whether the catalog was compared with the directories in this epoch: 1, 0, or -1 with *e */
int catalog_current(struct store *st, struct err *e);

/* catalog_make_current - compare it, unless that was done in this epoch; takes the lock */
int catalog_make_current(struct store *st, struct err *e);

/* catalog_rebuild - compare the catalog with the directories in any case; takes the lock */
int catalog_rebuild(struct store *st, struct err *e);

#endif
