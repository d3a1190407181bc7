/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: flock(2) with a limit of time.
 *
 * Owns SIGALRM and the real-time timer while it waits, and restores both afterwards.
 */
#include "os/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/time.h"
#include "os/file.h"
#include "os/process.h"

int os_lock_open(int dirfd, const char *path)
{
	return os_open_file(dirfd, path, O_RDWR | O_CREAT, 0666);
}

/* Exists to interrupt flock(2). */
static void wake(int sig)
{
	(void)sig;
}

struct alarm {
	struct sigaction action;        /* the previous one */
	sigset_t mask;
};

/*
 * The timer repeats, because a signal that arrives just before flock(2) begins does not interrupt it. The workers block all
 * signals, so SIGALRM is unblocked for this time.
 */
static void set_alarm(struct alarm *before, unsigned ms)
{
	struct itimerval timer = { .it_value = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 }, .it_interval = { 0, 10 * 1000 } };
	struct sigaction action = { .sa_handler = wake };       /* without SA_RESTART */
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigaction(SIGALRM, &action, &before->action);
	sigprocmask(SIG_UNBLOCK, &set, &before->mask);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* Keeps errno. */
static void unset_alarm(const struct alarm *before)
{
	static const struct itimerval none;
	int saved = errno;

	setitimer(ITIMER_REAL, &none, NULL);
	sigprocmask(SIG_SETMASK, &before->mask, NULL);
	sigaction(SIGALRM, &before->action, NULL);
	errno = saved;
}

/* Waits in flock(2): the kernel wakes waiters in their order as soon as the lock is free, where a process that polls comes late. */
static int wait_for(int fd, int op, unsigned ms, uint64_t *waited)
{
	uint64_t begun = time_now_usec(), now;
	struct alarm before;
	int rc;

	set_alarm(&before, ms);
	do {
		rc = flock(fd, op);
		now = time_now_usec();
	} while (rc < 0 && errno == EINTR && now - begun < (uint64_t)ms * 1000);
	unset_alarm(&before);
	if (rc < 0 && errno == EINTR)
		errno = EWOULDBLOCK;
	if (waited)
		*waited = now - begun + 1;      /* at least 1: 0 means that there was no wait */
	return rc;
}

static int lock_once(int fd, int op)
{
	int rc;

	do
		rc = flock(fd, op);
	while (rc < 0 && errno == EINTR);
	return rc;
}

static int try_then_wait(int fd, int op, unsigned ms, uint64_t *waited)
{
	if (lock_once(fd, op | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK && ms ? wait_for(fd, op, ms, waited) : -1;
}

/* Opens the file of a descriptor once more, for a moment. */
static bool open_again(int fd)
{
	char path[32];
	int other;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	other = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return other >= 0 && close(other) == 0;
}

/*
 * MooseFS's master forgets what a client has open whose session it has ended, and says EBADF until that one has told it, which it does once a minute,
 * or opens the file.
 */
int os_lock(int fd, bool exclusive, unsigned ms, uint64_t *waited)
{
	int op = exclusive ? LOCK_EX : LOCK_SH, rc;

	if (waited)
		*waited = 0;
	rc = try_then_wait(fd, op, ms, waited);
	if (rc < 0 && errno == EBADF && open_again(fd))
		rc = try_then_wait(fd, op, ms, waited);
	if (rc < 0 && errno == EBADF)
		errno = ESTALE;
	return rc;
}

/*
 * Older kernels allocate memory even to release a lock, and that can fail. A lock that is never released would block all
 * other processes, so it tries again, and finally ends the process, which releases its locks. Of a file that is not open any more
 * (EBADF, as above) nothing is locked.
 */
void os_unlock(int fd)
{
	int tries;

	for (tries = 0; lock_once(fd, LOCK_UN) < 0 && errno != EBADF; tries++) {
		if (tries == 1000)
			abort();
		os_pause(1000);
	}
}
