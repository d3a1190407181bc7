/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SORTED_FILE_H
#define BERTH_STORE_SORTED_FILE_H

/*
 * sorted_file: the files of a sorted set, one root and many leaves. Private to src/store/.
 *
 * "root": the first line is "<generation> <next leaf>", each further line "<leaf> <its first name>". The leaves are named by
 * their numbers and hold one name a line; the first leaf's first name is the empty string. In a leaf, names that were
 * appended follow those that were written in order.
 *
 * Functions that return int give 0 or -1 with *e, if nothing else is said. The caller holds the set's lock, or, to read,
 * compares the root's generation before and after.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "os/dir.h"
#include "store/store.h"

struct sorted_root {
	uint64_t generation, next;      /* both 0: there is no root yet, and the set is empty */
	struct names first;             /* of each leaf: its first name */
	uint64_t *ids;                  /* its number */
};

/* sorted_corrupt - set the error "this index is corrupt"; -1 */
int sorted_corrupt(const char *dir, struct err *e);

/* sorted_root_load - 1 and an owned root, 0 if there is none, -1 with *e */
int sorted_root_load(struct store *st, const char *dir, struct sorted_root *r, struct err *e);
void sorted_root_release(struct sorted_root *r);
#define cleanup_sorted_root __attribute__((cleanup(sorted_root_release)))

/* sorted_root_generation - the generation alone, in one short read; 0 if there is no root */
int sorted_root_generation(struct store *st, const char *dir, uint64_t *out, struct err *e);
int sorted_root_save(struct store *st, const char *dir, const struct sorted_root *r, struct err *e);

/* sorted_root_find - the leaf that a name belongs to: the last one whose first name is not greater */
size_t sorted_root_find(const struct sorted_root *r, const char *name);

void sorted_leaf_path(struct str *p, const char *dir, uint64_t id);

/*
 * sorted_leaf_load - the names of leaf i that count, in order and each once
 * whole  the size of the file in bytes if it ends with a whole line, else 0: a write was interrupted, and nothing may be
 *        appended
 * Returns 1, 0 if the file is missing, -1 with *e.
 *
 * sorted_leaf_load_to_add - the same; *fd gets the file, for sorted_leaf_append(), owned: -1 if this user may not write to it (it was restored
 *                           from a backup, for example)
 */
int sorted_leaf_load(struct store *st, const char *dir, const struct sorted_root *r, size_t i, struct names *out,
		     size_t *whole, struct err *e);
int sorted_leaf_load_to_add(struct store *st, const char *dir, const struct sorted_root *r, size_t i, struct names *out, size_t *whole, int *fd,
			    struct err *e);

/*
 * sorted_leaf_append - add one line to a leaf of `size` bytes, flushed; a concurrent reader sees the line or does not
 * fd  what sorted_leaf_load_to_add() has given. Returns 1, 0 if fd is -1, -1 with *e.
 */
int sorted_leaf_append(struct store *st, const char *dir, int fd, size_t size, const char *name, struct err *e);

/* sorted_leaf_save - replace the leaf by these names; sorted_leaf_flush - flush the leaf as it is */
int sorted_leaf_save(struct store *st, const char *dir, uint64_t id, char *const *names, size_t count, struct err *e);
int sorted_leaf_flush(struct store *st, const char *dir, uint64_t id, struct err *e);

/* sorted_leaf_find - the position of a name in a leaf, or the position to insert it at; *there tells which */
size_t sorted_leaf_find(const struct names *leaf, const char *name, bool *there);

/* sorted_leaf_sweep - remove all leaf files with a number less than `below`; returns the highest number of all */
uint64_t sorted_leaf_sweep(struct store *st, const char *dir, uint64_t below);

#endif
