/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_locks: whether two mounts exclude each other.
 *
 * Owns the processes that hold locks. A process that is forked has no lock of its parent's that it could release: each opens the
 * lock file itself.
 */
#include "care/mounts_own.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"

#define LOCK "lock"
#define PASSED_MS 10000         /* within which a lock that was released is the other one's */
#define CLIENT_MS 300000        /* the same where a client of the file system has died */
#define HANDOVERS 20
#define RACES 100

static int lock_by(int dirfd, bool exclusive, unsigned ms)
{
	int fd = os_lock_open(dirfd, LOCK);

	if (fd < 0 || os_lock(fd, exclusive, ms, NULL) == 0)
		return fd;
	os_cleanup_fd(&fd);
	return -1;
}

void mounts_locks(struct mounts *m)
{
	static const char name[] = "locks of two machines";
	cleanup_fd int a = lock_by(m->a, true, 0), b = -1, c = -1;

	if (a < 0)
		return mounts_failed(m, name, "flock");
	b = lock_by(m->b, true, 0);
	if (b >= 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "two machines have one lock (flock) at the same time");
	if (errno != EWOULDBLOCK)
		return mounts_failed(m, name, "flock");
	os_cleanup_fd(&a);
	a = lock_by(m->a, false, 0);
	b = lock_by(m->b, false, PASSED_MS);
	if (a < 0 || b < 0)
		return mounts_failed(m, name, "flock, shared,");
	c = lock_by(m->b, true, 0);
	if (c >= 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "a shared lock of one machine does not keep an exclusive one of the other out");
	mounts_say(m, name, MOUNTS_OK, -1, "flock keeps the other machine out");
}

/* A process that holds the lock through this directory until it is killed; its id when it has it, or -1 with errno. */
static pid_t holder(int dirfd)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid = os_fork(SIGKILL);
	if (pid == 0) {
		if (lock_by(dirfd, true, PASSED_MS) < 0 || os_write_full(ready[1], "x", 1) < 0)
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

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void killed_holder(struct mounts *m)
{
	static const char name[] = "lock of a killed process";
	pid_t pid = holder(m->b);
	cleanup_fd int fd = -1;
	uint64_t begun;

	if (pid < 0)
		return mounts_failed(m, name, "flock");
	begun = time_now_usec();
	end(pid);
	fd = lock_by(m->a, true, PASSED_MS);
	if (fd < 0)
		return mounts_say(m, name, MOUNTS_UNFIT, -1, "it is not free after %d s", PASSED_MS / 1000);
	mounts_say(m, name, MOUNTS_OK, (int64_t)(time_now_usec() - begun), "until the other machine has it");
}

static int replace(int dirfd, const char *name, const char *text)
{
	cleanup_str struct str tmp = STR_INIT;

	str_addf(&tmp, "%s.new", name);
	if (os_write_file(dirfd, tmp.buf, text, strlen(text), true) < 0)
		return -1;
	return renameat(dirfd, tmp.buf, dirfd, name);
}

static bool contains(int dirfd, const char *name, const char *text)
{
	char buf[64];
	ssize_t n = os_read_file(dirfd, name, buf, sizeof(buf));

	return n == (ssize_t)strlen(text) && memcmp(buf, text, (size_t)n) == 0;
}

/*
 * All that berth changes it changes under a lock, and whoever has the lock next relies on what it sees. The two directories take turns;
 * each time the next one has looked before, so that its cache has what is old.
 */
void mounts_handover(struct mounts *m)
{
	static const char name[] = "what was done under a lock";
	int turns[2] = { m->a, m->b };
	unsigned stale = 0, i;

	if (replace(m->a, "handed", "begin") < 0)
		return mounts_failed(m, name, "rename");
	killed_holder(m);
	for (i = 0; i < HANDOVERS; i++) {
		int here = turns[i % 2], there = turns[(i + 1) % 2], fd;
		cleanup_str struct str file = STR_INIT, text = STR_INIT;
		struct stat sb;

		str_addf(&text, "turn %u", i);
		str_addf(&file, "made-%u", i);
		contains(there, "handed", text.buf);
		fstatat(there, file.buf, &sb, 0);
		fd = lock_by(here, true, PASSED_MS);
		if (fd < 0 || replace(here, "handed", text.buf) < 0 || os_write_file(here, file.buf, "x", 1, true) < 0) {
			os_cleanup_fd(&fd);
			return mounts_failed(m, name, "a change under the lock");
		}
		os_cleanup_fd(&fd);
		fd = lock_by(there, true, PASSED_MS);
		if (fd < 0)
			return mounts_failed(m, name, "flock");
		stale += !contains(there, "handed", text.buf) || fstatat(there, file.buf, &sb, 0) < 0;
		os_cleanup_fd(&fd);
	}
	if (stale)
		mounts_say(m, name, MOUNTS_STALE, -1, "%u times of %d the next one that got the lock saw something older", stale, HANDOVERS);
	else
		mounts_say(m, name, MOUNTS_OK, -1, "the next one that gets the lock sees it, %d times", HANDOVERS);
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

static unsigned race(int dirfd, unsigned how, char won[RACES])
{
	unsigned i, n = 0;

	for (i = 0; i < RACES; i++) {
		cleanup_str struct str name = STR_INIT;

		str_addf(&name, "race-%u-%u", how, i);
		won[i] = wins(dirfd, name.buf, how) ? 1 : 0;
		n += (unsigned)won[i];
	}
	return n;
}

/* Two processes go through the same names at the same time. */
void mounts_winners(struct mounts *m)
{
	static const char *const name[] = { "exclusive open", "link to one name", "mkdir of one name" };
	unsigned how, i;

	for (how = 0; how < 3; how++) {
		char here[RACES], there[RACES];
		unsigned both = 0, none = 0;
		int out[2];
		pid_t pid;

		if (pipe2(out, O_CLOEXEC) < 0 || (pid = os_fork(SIGKILL)) < 0)
			return mounts_failed(m, name[how], "fork");
		if (pid == 0) {
			race(m->b, how, there);
			_exit(os_write_full(out[1], there, sizeof(there)) < 0);
		}
		close(out[1]);
		race(m->a, how, here);
		if (os_read_full(out[0], there, sizeof(there)) != (ssize_t)sizeof(there))
			memset(there, 0, sizeof(there));
		close(out[0]);
		waitpid(pid, NULL, 0);
		for (i = 0; i < RACES; i++) {
			both += here[i] && there[i];
			none += !here[i] && !there[i];
		}
		/* GlusterFS tells both that a link is there. berth makes a link under a lock, or with a name that nobody else uses. */
		if (both || none)
			mounts_say(m, name[how], both || how != 1 ? MOUNTS_UNFIT : MOUNTS_INFO, -1,
				   "of %d names %u were made by both machines, %u by none", RACES, both, none);
		else
			mounts_say(m, name[how], MOUNTS_OK, -1, "exactly one machine makes each of %d names", RACES);
	}
}

void mounts_client(struct mounts *m)
{
	static const char name[] = "lock of a killed client";
	pid_t pid = holder(m->b);
	uint64_t begun = time_now_usec();
	cleanup_fd int fd = -1;

	if (pid < 0)
		return mounts_failed(m, name, "flock");
	if (kill(m->o->client, SIGKILL) < 0) {
		end(pid);
		return mounts_failed(m, name, "kill");
	}
	fd = lock_by(m->a, true, CLIENT_MS);
	end(pid);
	if (fd < 0)
		mounts_say(m, name, MOUNTS_STALE, -1, "it is not free after %d s: have the file system end sessions of dead clients sooner",
			   CLIENT_MS / 1000);
	else
		mounts_say(m, name, MOUNTS_INFO, (int64_t)(time_now_usec() - begun), "until another machine has it");
}
