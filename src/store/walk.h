/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_WALK_H
#define BERTH_STORE_WALK_H

/* walk: listing directories whose entries are named by the hex digits of digests, or by the components of repositories' names. */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "store/store.h"

typedef int digest_visit(void *arg, const struct digest *d, struct err *e);

/*
 * walk_digests - visit the digests of this algorithm that have a directory in dir, in byte order
 * Other entries are skipped; a missing dir is an empty one; one that cannot be listed is an error.
 * If visit returns anything but 0, the walk ends and returns that.
 */
int walk_digests(struct store *st, const char *dir, enum digest_alg alg, digest_visit *visit, void *arg, struct err *e);

/* walk_all - the same for every algorithm; path gives the directory that a repository has for one */
int walk_all(struct store *st, const struct name *n,
	     void (*path)(struct str *p, const struct name *n, enum digest_alg alg), digest_visit *visit, void *arg,
	     struct err *e);

/*
 * walk_names - visit the names of repositories that have a directory below `top`, each after those below it, in no other order
 * Entries that are no components of a name are skipped, and so is what is gone. If visit returns anything but 0, the walk ends and returns that.
 */
typedef int name_visit(void *arg, const struct name *n, const char *dir, struct err *e);
int walk_names(struct store *st, const char *top, name_visit *visit, void *arg, struct err *e);

/* walk_flush - flush these directories, as far as they exist; 0 or -1 with *e */
int walk_flush(struct store *st, const struct name *n, void (*path)(struct str *p, const struct name *n, enum digest_alg alg),
	       struct err *e);

#endif
