/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SORTED_H
#define BERTH_STORE_SORTED_H

/*
 * sorted: a set of names on disk in byte order; the last page costs no more than the first (doc/STORE.md, "Indexes and epochs").
 *
 * The directory of a set holds leaves, files of up to SORTED_LEAF names, one a line, and a file `root` that tells the first
 * name of each leaf. A new name is appended to its leaf; any other change replaces the leaf by one rename. A full leaf is
 * split, and a new root is published.
 * Readers take no lock: the root has a generation, and a reader that finds another generation after reading a leaf starts
 * again. Writers exclude each other by a lock that the caller holds.
 *
 * The set may name too much but never too little: an added name is durable (where store_flushes_index() says so), but a
 * removed one may come back after a power cut. So a reader checks that what is named exists.
 */

#include "base/err.h"
#include "os/dir.h"
#include "store/store.h"

#define SORTED_LEAF 512

/* sorted_add - add a name (no newline in it, not empty) to the set in dir, which exists; durable. 0 or -1 with *e */
int sorted_add(struct store *st, const char *dir, const char *name, struct err *e);

/* sorted_remove - remove a name, if it is there; a power cut may bring it back, but damages no other name */
int sorted_remove(struct store *st, const char *dir, const char *name, struct err *e);

/* sorted_build - replace the whole set by these names, in byte order; durable. Repairs a corrupt set. */
int sorted_build(struct store *st, const char *dir, const struct names *names, struct err *e);

/*
 * sorted_walk - visit the names greater than `after` ("": all), in byte order
 * visit  returns 0 to go on, anything else to stop; that is then what sorted_walk returns
 */
int sorted_walk(struct store *st, const char *dir, const char *after,
		int (*visit)(void *arg, const char *name, struct err *e), void *arg, struct err *e);

#endif
