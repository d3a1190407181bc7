/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_watch: ends what waits for a file system that does not answer.
 *
 * Owns the process in which all is tried, and the pipe by which that one says that it goes on. A call that hangs can't be ended in any other way.
 */
#include "care/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "care/mounts_own.h"
#include "os/process.h"

#define LOOK_MS 200             /* after which a signal that came just before a wait is noticed */

static int alive = -1;

void mounts_alive(void)
{
	if (alive >= 0 && write(alive, "", 1) < 0)
		mounts_unwatched();
}

void mounts_unwatched(void)
{
	if (alive >= 0)
		close(alive);
	alive = -1;
}

/* Until it has ended: 0, or -1 if it was silent for too long. */
static int wait_for(pid_t pid, int fd, int *status)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint64_t heard = time_now_usec();
	char bytes[64];

	while (waitpid(pid, status, WNOHANG) == 0) {
		if (time_now_usec() - heard > MOUNTS_SILENT_MS * UINT64_C(1000))
			return -1;
		if (os_asked_to_end())
			kill(pid, os_asked_to_end());
		if (poll(&p, 1, LOOK_MS) <= 0)
			continue;
		if (read(fd, bytes, sizeof(bytes)) > 0)
			heard = time_now_usec();
		else
			p.fd = -1;      /* it ends now */
		if (p.fd < 0)
			os_pause(2000);
	}
	return 0;
}

int mounts_watch(int (*work)(void *arg), void *arg, struct err *e)
{
	int ends[2], status = 0, rc;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = os_fork(SIGTERM)) < 0)
		return err_sys(e, "cannot start a process");
	if (pid == 0) {
		close(ends[0]);
		alive = ends[1];
		rc = work(arg);
		fflush(stdout);
		if (os_asked_to_end())
			os_end();
		_exit(rc);
	}
	close(ends[1]);
	rc = wait_for(pid, ends[0], &status);
	close(ends[0]);
	if (rc < 0) {
		kill(pid, SIGKILL);
		return err_set(e, ERR_UNKNOWN, "the file system has not answered for %d s: see to its client and servers, and remove what is left: "
			       MOUNTS_PREFIX "*", MOUNTS_SILENT_MS / 1000);
	}
	if (os_asked_to_end())
		os_end();
	return WIFEXITED(status) ? WEXITSTATUS(status) : err_set(e, ERR_UNKNOWN, "it was killed");
}
