/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SORTED_H
#define BERTH_STORE_SORTED_H

/*
 * sorted: a set of names on disk, kept in byte order, so that a page costs what the page holds.
 *
 * A directory of leaves, files of up to SORTED_LEAF names each, one a line, and a file `root` that says which leaf
 * begins with which name. A name is added to the end of a leaf's file; else a leaf is replaced by one rename. When it is
 * full it is split and a new root is published.
 * Readers take no lock: the root has a generation, and who finds another one after reading a leaf reads again.
 * Changes exclude each other by a lock that the caller holds.
 *
 * What is in the set is a promise only in one direction: a name that was added is there, durably. One that was removed
 * may come back after a power cut, so whoever reads looks whether what is named exists.
 */

#include "base/err.h"
#include "os/dir.h"
#include "store/store.h"

#define SORTED_LEAF 512

/* sorted_add - add a name (no newline in it, not empty) to the set in dir, which exists; durable. 0 or -1 with *e */
int sorted_add(struct store *st, const char *dir, const char *name, struct err *e);

/* sorted_remove - take a name out; a power cut may bring it back, and harms no other; what isn't in it is no error */
int sorted_remove(struct store *st, const char *dir, const char *name, struct err *e);

/* sorted_build - replace the whole set by these names, which are in byte order; durable */
int sorted_build(struct store *st, const char *dir, const struct names *names, struct err *e);

/*
 * sorted_walk - visit the names greater than `after` ("": all), in byte order
 * visit  returns 0 to go on, anything else to stop; that is then what sorted_walk returns
 */
int sorted_walk(struct store *st, const char *dir, const char *after,
		int (*visit)(void *arg, const char *name, struct err *e), void *arg, struct err *e);

#endif
