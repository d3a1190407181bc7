/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: flock(2), waited for with and without a limit.
 *
 * Owns no state.
 */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>

#include "base/time.h"
#include "os/file.h"

int os_lock_open(int dirfd, const char *path)
{
	return os_open_file(dirfd, path, O_RDWR | O_CREAT, 0666);
}

static int lock_once(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* 1 where somebody else has the lock; else the wait is over before it began: 0, or -1 with errno. */
static int try_first(int fd, int op, uint64_t *waited)
{
	if (waited)
		*waited = 0;
	if (lock_once(fd, op | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -1;
}

/* Since a time that is past; at least 1, so that a wait is told from none. Keeps errno. */
static void measure(uint64_t since, uint64_t *waited)
{
	int saved = errno;

	if (waited)
		*waited = time_now_usec() - since + 1;
	errno = saved;
}

int os_lock(int fd, bool exclusive, uint64_t *waited)
{
	int op = exclusive ? LOCK_EX : LOCK_SH, rc = try_first(fd, op, waited);
	uint64_t begun;

	if (rc <= 0)
		return rc;
	begun = time_now_usec();
	rc = lock_once(fd, op);
	measure(begun, waited);
	return rc;
}

/*
 * flock(2) has no time limit of its own, and a signal to end the wait would need a timer and a handler in a process
 * that keeps its signals blocked. So: try, sleep a little longer each time, up to 32 ms.
 */
int os_lock_within(int fd, bool exclusive, unsigned ms, uint64_t *waited)
{
	int op = exclusive ? LOCK_EX : LOCK_SH, rc = try_first(fd, op, waited);
	long pause = 500 * 1000;
	uint64_t begun;

	if (rc <= 0 || ms == 0)
		return rc ? -1 : 0;
	begun = time_now_usec();
	do {
		struct timespec ts = { .tv_nsec = pause };

		nanosleep(&ts, NULL);
		if (pause < 20 * 1000 * 1000)
			pause *= 2;
		rc = lock_once(fd, op | LOCK_NB);
	} while (rc < 0 && errno == EWOULDBLOCK && time_now_usec() - begun < (uint64_t)ms * 1000);
	measure(begun, waited);
	return rc;
}

/*
 * Older kernels take memory even for giving a lock back, and may have none. Not to give it back would stop everybody
 * else, so it is tried again, and at last the process ends, and with it its locks.
 */
void os_unlock(int fd)
{
	static const struct timespec pause = { .tv_nsec = 1000 * 1000 };
	int tries;

	for (tries = 0; lock_once(fd, LOCK_UN) < 0; tries++) {
		if (tries == 1000)
			abort();
		nanosleep(&pause, NULL);
	}
}
