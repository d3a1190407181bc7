/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: flock(2), waited for with and without a limit.
 *
 * Owns no state.
 */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

#include "base/time.h"
#include "os/file.h"

int os_lock_open(int dirfd, const char *path)
{
	return os_open(dirfd, path, O_RDWR | O_CREAT, 0666);
}

static int lock_once(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int os_lock(int fd, bool exclusive)
{
	return lock_once(fd, exclusive ? LOCK_EX : LOCK_SH);
}

/*
 * flock(2) has no time limit of its own, and a signal to end the wait would need a timer and a handler in a process
 * that keeps its signals blocked. So: try, sleep a little longer each time, up to 32 ms.
 */
int os_lock_within(int fd, bool exclusive, unsigned ms)
{
	uint64_t end = time_now_usec() + (uint64_t)ms * 1000;
	long pause = 500 * 1000;

	for (;;) {
		struct timespec ts = { .tv_nsec = pause };

		if (lock_once(fd, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK)
			return -1;
		if (time_now_usec() >= end) {
			errno = EWOULDBLOCK;
			return -1;
		}
		nanosleep(&ts, NULL);
		if (pause < 20 * 1000 * 1000)
			pause *= 2;
	}
}

void os_unlock(int fd)
{
	lock_once(fd, LOCK_UN);
}
