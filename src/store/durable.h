/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_DURABLE_H
#define BERTH_STORE_DURABLE_H

/*
 * durable: directory entries on disk, from a directory up to the store's layout (doc/STORE.md, "Writes in their order").
 *
 * An entry is durable when its directory has been flushed, and so has the entry of that directory, and so on. A process that
 * finds a directory cannot know whether its creator lived to flush the ones above, so each push would have to flush them
 * all. But what this process has flushed once need not be flushed again as long as it is the same directory. So it is
 * remembered, by inode and birth time (inode numbers are soon reused). On a file system without birth times nothing is
 * remembered.
 *
 * A directory that is moved away and back, or found under a new name that is not durable yet, would be mistaken for the one
 * remembered. So whoever renames directories that are to stay calls durable_moving() before each rename, and all processes
 * forget.
 */

#include "store/store.h"

/*
 * durable_dir - make the present entries of this directory durable: flush it, and each directory above it that may hold an
 *               entry which is not durable. Does nothing with fsync = "off".
 * Takes a path below docker/registry/v2/blobs/ALG or .../repositories, relative to the root. The caller holds
 * lock_collector. Returns 0 or -1 with errno.
 */
int durable_dir(struct store *st, const char *dir);

/*
 * durable_name - make the entry of this file durable: flush its directory, unless this process has done so since the file
 *                was created. The entries above are the caller's. 0 or -1 with errno
 */
int durable_name(struct store *st, const char *path);

/*
 * durable_moving - call it before directories are renamed; run_fd: the lock of runs. The caller holds that lock, and the
 *                  collector's exclusively. 0 or -1 with errno
 */
int durable_moving(int run_fd);

#endif
