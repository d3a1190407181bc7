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
#include <stdint.h>

/* os_lock_open - open a file to lock, made if missing, not through a link; a descriptor that the caller owns, or -1 with errno */
int os_lock_open(int dirfd, const char *path);

/*
 * os_lock - wait for the lock, at most ms milliseconds; 0, or -1 with errno: EWOULDBLOCK where they passed
 * ms      0: try once. There is no waiting without a limit.
 * waited  gets how long that took, in microseconds, also where it failed; 0 where the lock was free, which costs one
 *         system call and no look at the clock. NULL: nobody wants to know.
 */
int os_lock(int fd, bool exclusive, unsigned ms, uint64_t *waited);
void os_unlock(int fd);

#endif
