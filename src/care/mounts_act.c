/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_act: what either machine does in the directory in which a file system is tried.
 *
 * Owns no state but the processes that hold locks. A process that is forked has no lock of its parent's that it could release: each
 * opens the lock file itself.
 */
#include "care/mounts_act.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"

#define LOCK "lock"

int act_lock(int dirfd, bool exclusive, unsigned ms)
{
	int fd = os_lock_open(dirfd, LOCK), failed;

	if (fd < 0 || os_lock(fd, exclusive, ms, NULL) == 0)
		return fd;
	failed = errno;
	os_cleanup_fd(&fd);
	errno = failed;
	return -1;
}

pid_t act_hold(int dirfd)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = os_fork(SIGKILL);
	if (pid == 0) {
		if (act_lock(dirfd, true, ACT_PASSED_MS) < 0 || os_write_full(ready[1], "x", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	if (pid > 0 && os_read_full(ready[0], &byte, 1) != 1) {
		waitpid(pid, NULL, 0);
		errno = EWOULDBLOCK;
		pid = -1;
	}
	close(ready[0]);
	return pid;
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
	return renameat(dirfd, tmp.buf, dirfd, name);
}

bool act_contains(int dirfd, const char *name, const char *text)
{
	char buf[64];
	ssize_t n = os_read_file(dirfd, name, buf, sizeof(buf));

	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

static bool wins(int dirfd, const char *name, unsigned how)
{
	cleanup_fd int fd = -1;

	if (how == 0)
		fd = os_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (how == 1)
		return linkat(dirfd, "first", dirfd, name, 0) == 0;
	if (how == 2)
		return mkdirat(dirfd, name, 0700) == 0;
	return fd >= 0;
}

void act_race(int dirfd, unsigned how, char won[ACT_RACES + 1])
{
	unsigned i;

	for (i = 0; i < ACT_RACES; i++) {
		cleanup_str struct str name = STR_INIT;

		str_addf(&name, "race-%u-%u", how, i);
		won[i] = wins(dirfd, name.buf, how) ? '1' : '0';
	}
	won[ACT_RACES] = '\0';
}

static struct act_found of_stat(int rc, const struct stat *sb)
{
	return rc < 0 ? (struct act_found){ false, 0 } : (struct act_found){ true, S_ISDIR(sb->st_mode) ? ACT_DIR : (uint64_t)sb->st_size };
}

static struct act_found in_list(int dirfd, const char *name)
{
	cleanup_names struct names names = NAMES_INIT;
	size_t i;

	if (os_dir_list(dirfd, ".", DIR_ALL, &names) < 0)
		return (struct act_found){ false, 0 };
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], name) == 0)
			return (struct act_found){ true, 0 };
	return (struct act_found){ false, 0 };
}

struct act_found act_look(int dirfd, const char *name, enum act_look how)
{
	cleanup_fd int fd = -1;
	struct stat sb;

	if (how == BY_LIST)
		return in_list(dirfd, name);
	if (how == BY_STAT)
		return of_stat(fstatat(dirfd, name, &sb, AT_SYMLINK_NOFOLLOW), &sb);
	fd = os_open(dirfd, name, O_RDONLY, 0);
	return of_stat(fd < 0 ? -1 : fstat(fd, &sb), &sb);
}
