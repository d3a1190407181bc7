/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_DURABLE_H
#define BERTH_STORE_DURABLE_H

/*
 * durable: names on disk, from a directory up to the store's layout (doc/STORE.md, "Two ways to flush").
 *
 * On an ordered file system (os/fs.h) all names that exist become durable by one flush of what changed last. That is
 * durable_barrier(), and nothing else here does anything.
 *
 * Elsewhere a name is durable when its directory has been flushed, and so has the name of that directory, and so on. A process
 * that finds a directory cannot know whether its creator lived to flush the ones above, so each push would have to flush
 * them all. But what one process of a master has flushed no other needs to flush, as long as it is the same directory. So it is
 * remembered in memory that they share, by device, inode and birth time (inode numbers are soon reused). On a file system without
 * birth times nothing is remembered.
 *
 * A directory that is moved away and back, or found under a new name that is not durable yet, would be mistaken for the one
 * remembered. So whoever renames directories that are to stay calls durable_moving() before each rename, and all processes
 * forget.
 */

#include "store/store.h"

/*
 * durable_share - share the memory, and barriers, with the processes that this one forks; call it once, before. 0, or -1 with
 *                 errno: then each process remembers what it has flushed itself, and runs its own barriers
 */
int durable_share(void);

/*
 * durable_dir - make the present names in this directory durable: flush it, and each directory above it that may hold a name
 *               which is not durable. Does nothing with fsync = "off", and on an ordered file system with "image".
 * Takes a path below docker/registry/v2/blobs/ALG or .../repositories, or below berth/, relative to the root. The caller holds
 * lock_collector, or the lock of the repository without which nobody moves this directory. Returns 0 or -1 with errno.
 */
int durable_dir(struct store *st, const char *dir);

/*
 * durable_name - make the name of this file durable: flush its directory, unless that was done since the file was created. The
 *                names above are the caller's. 0 or -1 with errno
 */
int durable_name(struct store *st, const char *path);

/*
 * durable_barrier - on an ordered file system: everything that this process, and any other, had changed before the call is durable
 *                   when it returns. Elsewhere it does nothing.
 * It may wait for another process's barrier and then run one for all that wait; hold no lock that others need.
 * Returns 0 or -1 with errno.
 */
int durable_barrier(struct store *st);

/*
 * durable_moving - call it before directories are renamed; run_fd: the lock of runs. The caller holds that lock, and the
 *                  collector's exclusively. 0 or -1 with errno
 */
int durable_moving(int run_fd);

#endif
