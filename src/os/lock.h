/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_LOCK_H
#define BERTH_OS_LOCK_H

/*
 * lock: flock(2).
 *
 * The lock belongs to the open file: every process opens for itself, after fork, and closing (or dying) lets go. Files
 * are opened for writing, as network file systems demand for exclusive locks.
 */

#include <stdbool.h>

/* os_lock_open - open a file to lock, made if missing; a descriptor that the caller owns, or -1 with errno */
int os_lock_open(int dirfd, const char *path);

/* os_lock - wait for the lock; 0, or -1 with errno */
int os_lock(int fd, bool exclusive);

/* os_lock_within - wait at most ms milliseconds; -1 with errno EWOULDBLOCK where they passed */
int os_lock_within(int fd, bool exclusive, unsigned ms);
void os_unlock(int fd);

#endif
