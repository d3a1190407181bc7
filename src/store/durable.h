/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_DURABLE_H
#define BERTH_STORE_DURABLE_H

/*
 * durable: names on disk, from a directory up to the store's layout (store.md, "Durability").
 *
 * A name is on disk when the directory that holds it has been flushed, and the same goes for that directory's own name.
 * Whoever finds a directory can't know whether the one who made it lived to flush what lies above, so all of them would have
 * to be flushed in each push. But what this process has flushed once needs no second time as long as it is the same
 * directory: that is remembered, by inode and time of birth (a number alone is soon given to another one). Where a file
 * system tells no time of birth nothing is remembered.
 *
 * A directory that moves away and comes back, or is found under another name that is not on disk yet, would be taken for one
 * that is known. Whoever renames directories that are to stay calls durable_moving() before each rename, and everybody
 * forgets.
 */

#include "store/store.h"

/*
 * durable_dir - what lies in this directory at this moment is on disk by its name, when it returns: the directory is
 *               flushed, and above it each one that may hold a name which is not on disk. Nothing with fsync = "off".
 * Takes a path below docker/registry/v2/blobs/ALG or .../repositories, relative to the root. The caller holds
 * lock_collector. Returns 0 or -1 with errno.
 */
int durable_dir(struct store *st, const char *dir);

/*
 * durable_name - the name of this file is on disk when it returns: the directory that holds it is flushed, unless this
 *                process has done so since the file was made. The names above are the caller's. 0 or -1 with errno
 */
int durable_name(struct store *st, const char *path);

/*
 * durable_moving - before directories get other names; run_fd: the lock of runs, which the caller holds, and the collector's
 *                  lock exclusively. 0 or -1 with errno
 */
int durable_moving(int run_fd);

#endif
