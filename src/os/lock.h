/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_LOCK_H
#define BERTH_OS_LOCK_H

/*
 * lock: flock(2).
 *
 * A lock belongs to the open file description: every process opens the file itself, after fork, and releases the lock by
 * closing it or ending. Files are opened for writing, because network file systems require that for exclusive locks.
 */

#include <stdbool.h>
#include <stdint.h>

/* os_lock_open - open a lock file, and create it if missing; follows no link; a descriptor that the caller owns, or -1 with errno */
int os_lock_open(int dirfd, const char *path);

/*
 * os_lock - wait for the lock, at most ms milliseconds; 0, or -1 with errno: EWOULDBLOCK if the time is over, ESTALE if the server of a network
 *           file system does not know that the file is open
 * ms      0: try once. There is no wait without a limit.
 * waited  gets the time of the wait in microseconds, on failure too; 0 if the lock was free, which costs one system call and
 *         does not read the clock. May be NULL.
 */
int os_lock(int fd, bool exclusive, unsigned ms, uint64_t *waited);
void os_unlock(int fd);

#endif
