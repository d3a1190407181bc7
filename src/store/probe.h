/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_PROBE_H
#define BERTH_STORE_PROBE_H

/* probe: test whether a file system can hold a store, at start and while serving, and say what to do if it cannot. */

#include "base/err.h"
#include "base/str.h"
#include "store/store.h"

/*
 * probe_file_system - create a file below berth/tmp/, link it, lock it, and compare its time with the clock and the last start
 * A wrong clock is only logged. Returns 0, or -1 with *e: one line in e->cause.
 */
int probe_file_system(struct store *st, const char *root, struct err *e);

/*
 * probe_write - write a block to an unnamed file below berth/tmp/, then do what probe_read does
 * probe_read  - open the directory of repositories
 * Nothing is flushed. Each returns 0 or an errno.
 */
int probe_write(struct store *st);
int probe_read(struct store *st);

/*
 * probe_access - whether this process can use a file or directory of the store: 0, or EACCES
 * A directory is to be written, unless the store is read-only. A file is to be read; it is also to be written, unless it
 * belongs to this user, since the mode of the user's own files is the user's choice. What does not exist can be used.
 */
int probe_access(struct store *st, const char *path);

/*
 * probe_elsewhere - whether a directory is on another file system than berth/tmp/, so that nothing can be renamed into it; false for
 *                   those above blobs/ and repositories/, into which nothing is renamed
 */
bool probe_elsewhere(struct store *st, const char *dir);

/*
 * probe_path - the first directory on the way to a path, or the path itself, that this process cannot use (EACCES), or that is
 *              elsewhere (EXDEV)
 * Returns that errno with the directory in *at, or 0.
 */
int probe_path(struct store *st, const char *path, struct str *at);

/* probe_remedy - append what to do about an errno of the store at this root, as in "; make room", or nothing */
void probe_remedy(const char *root, int sys, struct str *out);

#endif
