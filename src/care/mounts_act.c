/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_act: what either machine does in the directory in which a file system is tried.
 *
 * Owns no state but the processes that hold locks, and how many looks were stale. A process that is forked has no lock of its parent's
 * that it could release: each opens the lock file itself.
 */
#include "care/mounts_act.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "base/time.h"
#include "care/mounts_own.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"

#define TURN_MS 500
#define LINKS 20                /* to one file */

/* In turns, since a signal that asks this process to end does not end the wait. */
int act_lock(int dirfd, const char *name, bool exclusive, unsigned ms)
{
	int fd = os_lock_open(dirfd, name), failed;
	unsigned turn;

	if (fd < 0)
		return -1;
	for (;;) {
		turn = ms < TURN_MS ? ms : TURN_MS;
		if (os_lock(fd, exclusive, turn, NULL) == 0)
			return fd;
		failed = errno;
		ms -= turn;
		mounts_alive();
		if (failed != EWOULDBLOCK || !ms || os_asked_to_end())
			break;
	}
	os_cleanup_fd(&fd);
	errno = failed;
	return -1;
}

pid_t act_hold(int dirfd)
{
	int ready[2];
	int failed = ECHILD;    /* if it says nothing */
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = os_fork(SIGKILL);
	if (pid == 0) {
		int fd = act_lock(dirfd, ACT_LOCK, true, ACT_PASSED_MS);

		failed = fd < 0 ? errno : 0;
		if (os_write_full(ready[1], &failed, sizeof(failed)) < 0 || fd < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid < 0)
		failed = errno;
	else if (os_read_full(ready[0], &failed, sizeof(failed)) != sizeof(failed) || failed)
		act_end(pid);
	close(ready[0]);
	errno = failed;
	return failed ? -1 : pid;
}

void act_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int act_replace(int dirfd, const char *name, const char *text)
{
	cleanup_str struct str tmp = STR_INIT;

	str_addf(&tmp, "%s.new", name);
	if (os_write_file(dirfd, tmp.buf, text, strlen(text), true) < 0)
		return -1;
	return os_renameat(dirfd, tmp.buf, dirfd, name);
}

/* What stays stale is not seen as it is; any other failure says nothing of what is there. */
static int unless_gone(void)
{
	return os_gone(errno) || errno == ESTALE ? 0 : -1;
}

int act_contains(int dirfd, const char *name, const char *text)
{
	char buf[64];
	ssize_t n = os_read_file(dirfd, name, buf, sizeof(buf));

	return n < 0 ? unless_gone() : n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

int act_links(int dirfd, const char *name)
{
	struct stat sb;

	return os_fstatat(dirfd, name, &sb, 0) < 0 ? unless_gone() : sb.st_nlink < 1000 ? (int)sb.st_nlink : 1000;
}

/* A file to be linked, of this process alone. One has few names: GlusterFS on ext4 says ENOSPC to the 48th. */
static int make_source(int dirfd, unsigned how, struct str *from)
{
	static unsigned links;
	static uint64_t random;

	if (!random)
		os_random(&random, sizeof(random));
	str_addf(from, "from-%016" PRIx64 "-%u", random, links / LINKS);
	return how == 1 && links++ % LINKS == 0 ? os_write_file(dirfd, from->buf, "x", 1, false) : 0;
}

int act_race(int dirfd, const char *name, unsigned how, uint64_t usec)
{
	uint64_t begun = time_now_usec();
	cleanup_str struct str from = STR_INIT;
	cleanup_fd int fd = -1;
	int rc;

	if (make_source(dirfd, how, &from) < 0)
		return -1;
	while (time_now_usec() - begun < usec)
		;               /* a pause is not as exact */
	if (how == 0)
		rc = fd = os_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	else if (how == 1)
		rc = os_linkat(dirfd, from.buf, dirfd, name, 0);
	else
		rc = os_mkdirat(dirfd, name, 0700);
	return rc >= 0 ? 1 : errno == EEXIST ? 0 : -1;
}

static unsigned stale;

unsigned act_stale(void)
{
	return stale;
}

/* As os_fstatat() and os_open() do, but it counts. */
static int look_once(int dirfd, const char *name, enum act_look how, struct stat *sb)
{
	cleanup_fd int fd = -1;

	if (how == BY_STAT)
		return fstatat(dirfd, name, sb, AT_SYMLINK_NOFOLLOW);
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -1 : fstat(fd, sb);
}

static int look(int dirfd, const char *name, enum act_look how, struct act_found *out)
{
	unsigned tries = 0;
	struct stat sb;
	int rc;

	do
		rc = look_once(dirfd, name, how, &sb);
	while (rc < 0 && os_again(errno, &tries));
	stale += tries > 0;
	if (rc == 0)
		*out = (struct act_found){ true, S_ISDIR(sb.st_mode) ? ACT_DIR : (uint64_t)sb.st_size };
	return rc == 0 || os_gone(errno) ? 0 : -1;
}

static int in_list(int dirfd, const char *name, struct act_found *out)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;

	if (os_dir_list(dirfd, ".", DIR_ALL, &names) < 0)
		return -1;
	for (i = 0; i < names.count; i++)
		out->there |= strcmp(names.v[i], name) == 0;
	return 0;
}

int act_look(int dirfd, const char *name, enum act_look how, struct act_found *out)
{
	*out = (struct act_found){ false, 0 };
	return how == BY_LIST ? in_list(dirfd, name, out) : look(dirfd, name, how, out);
}
