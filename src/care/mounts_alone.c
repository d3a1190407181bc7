/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_alone: what a file system does for one machine; and clocks.
 *
 * Owns no state.
 */
#include "care/mounts_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"

#define ROUNDS 15               /* of what is measured */
#define SECOND 1000000
#define CLOCKS (60 * (int64_t)SECOND)

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t median(int64_t *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_size);
	return v[n / 2];
}

/* What a push pays for: the bytes of a small file, its name, and what syncfs(2) takes when little is left to do. */
static void try_flushes(struct mounts *m)
{
	static const char block[4096];
	int64_t file[ROUNDS], dir[ROUNDS], all[ROUNDS];
	size_t i;

	for (i = 0; i < ROUNDS && !mounts_over(m); i++) {
		cleanup_str struct str name = STR_INIT, to = STR_INIT;
		cleanup_fd int fd = -1;
		uint64_t begun;

		str_addf(&name, "flush-%zu", i);
		str_addf(&to, "flushed-%zu", i);
		fd = os_open(m->a, name.buf, O_WRONLY | O_CREAT | O_EXCL, 0600);
		if (fd < 0 || os_write_full(fd, block, sizeof(block)) < 0)
			return mounts_failed(m, "flush of a file", "writing");
		begun = time_now_usec();
		if (os_fsync(fd) < 0)
			return mounts_failed(m, "flush of a file", "fsync");
		file[i] = (int64_t)(time_now_usec() - begun);
		/* The flush of a file may take along the name that it was made with: CephFS. */
		if (renameat(m->a, name.buf, m->a, to.buf) < 0)
			return mounts_failed(m, "flush of a directory", "rename");
		begun = time_now_usec();
		if (os_fsync(m->a) < 0)
			return mounts_failed(m, "flush of a directory", "fsync");
		dir[i] = (int64_t)(time_now_usec() - begun);
		begun = time_now_usec();
		if (syncfs(m->a) < 0)
			return mounts_failed(m, "syncfs", "syncfs");
		all[i] = (int64_t)(time_now_usec() - begun);
		mounts_alive();
	}
	if (mounts_over(m))
		return;
	mounts_say(m, "flush of a file", MOUNTS_INFO, median(file, ROUNDS), "4 KiB, the median of %d", ROUNDS);
	mounts_say(m, "flush of a directory", MOUNTS_INFO, median(dir, ROUNDS), "with one new name");
	mounts_say(m, "syncfs", MOUNTS_INFO, median(all, ROUNDS), "with nothing left to do");
}

static void try_times(struct mounts *m, const struct statx *sx)
{
	struct timespec now;
	int64_t differ;

	clock_gettime(CLOCK_REALTIME, &now);
	differ = (now.tv_sec - (int64_t)sx->stx_mtime.tv_sec) * SECOND + (now.tv_nsec - (int64_t)sx->stx_mtime.tv_nsec) / 1000;
	if (differ < 0)
		differ = -differ;
	m->clocks |= differ > CLOCKS;
	mounts_say(m, "clocks", differ > CLOCKS ? MOUNTS_STALE : MOUNTS_INFO, differ, "this machine's and the file system's differ by it");
	mounts_say(m, "birth times", MOUNTS_INFO, -1, "%s", sx->stx_mask & STATX_BTIME ? "there are" : "there are none");
}

static void try_locks(struct mounts *m)
{
	static const char name[] = "locks of one machine";
	cleanup_fd int fd = os_lock_open(m->a, "first"), second = os_lock_open(m->a, "first");

	if (fd < 0 || second < 0 || os_lock(fd, true, 0, NULL) < 0)
		mounts_failed(m, name, "flock");
	else if (os_lock(second, true, 0, NULL) == 0)
		mounts_say(m, name, MOUNTS_UNFIT, -1, "two have one lock at the same time");
	else if (errno != EWOULDBLOCK)
		mounts_failed(m, name, "flock");
	else
		mounts_say(m, name, MOUNTS_OK, -1, "flock keeps others out");
}

static void try_links(struct mounts *m)
{
	static const char name[] = "hard links";
	struct stat sb;

	if (os_linkat(m->a, "first", m->a, "second", 0) < 0)
		mounts_failed(m, name, "link(2)");
	else if (os_linkat(m->a, "first", m->a, "second", 0) == 0)
		mounts_say(m, name, MOUNTS_UNFIT, -1, "link does not say that a name is taken");
	else if (errno != EEXIST)
		mounts_failed(m, name, "link(2) to a name that is taken");
	else if (os_fstatat(m->a, "first", &sb, 0) < 0)
		mounts_failed(m, name, "stat");
	else
		mounts_say(m, name, MOUNTS_OK, -1, "there are; of a file with two names it says %u", (unsigned)sb.st_nlink);
}

static void try_all(struct mounts *m)
{
	struct statx sx;

	if (os_write_file(m->a, "first", "x", 1, false) < 0)
		return mounts_failed(m, "files", "making a file");
	try_locks(m);
	if (!mounts_over(m))
		try_links(m);
	if (mounts_over(m))
		return;
	if (mkdirat(m->a, "x", 0700) < 0 || mkdirat(m->a, "y", 0700) < 0)
		return mounts_failed(m, "directories", "mkdir");
	mounts_say(m, "exchange of names", MOUNTS_INFO, -1, "%s",
		   renameat2(m->a, "x", m->a, "y", RENAME_EXCHANGE) == 0 ? "can be done" : strerror(errno));
	if (statx(m->a, "first", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return mounts_failed(m, "times", "statx");
	try_times(m, &sx);
	try_flushes(m);
}

void mounts_alone(struct mounts *m)
{
	m->one = true;
	try_all(m);
	m->one = false;
}

/* Clocks of machines: rules and tokens speak of real time. */
void mounts_clocks(struct mounts *m)
{
	static const char name[] = "clocks of two machines";
	uint64_t theirs, ours;

	if (mounts_ask(m, &theirs, "now") < 0)
		return mounts_failed(m, name, "asking");
	ours = (uint64_t)time(NULL);
	theirs = theirs > ours ? theirs - ours : ours - theirs;
	if (theirs > UINT32_MAX)
		theirs = UINT32_MAX;    /* a clock that was never set */
	m->clocks |= theirs > CLOCKS / SECOND;
	mounts_say(m, name, theirs > CLOCKS / SECOND ? MOUNTS_STALE : MOUNTS_INFO, (int64_t)theirs * SECOND, "differ by it, to a second");
}
