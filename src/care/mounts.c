/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts: what a file system does of what berth needs.
 *
 * Owns the directory in which all of it is tried. Knows nothing of stores.
 */
#include "care/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "care/mounts_line.h"
#include "care/mounts_own.h"
#include "os/file.h"
#include "os/fs.h"
#include "os/lock.h"
#include "os/process.h"
#include "os/tree.h"

#define ROUNDS 15               /* of what is measured */
#define SECOND 1000000
#define CLOCKS (60 * (int64_t)SECOND)

static void say_options(struct mounts *m, const char *dir, const char *type, size_t type_len, const char *options)
{
	cleanup_str struct str padded = STR_INIT;

	str_addf(&padded, ",%s,", options);
	if (strstr(padded.buf, ",nolock,") || strstr(padded.buf, ",local_lock=all,") || strstr(padded.buf, ",local_lock=flock,"))
		mounts_say(m, "mount options", MOUNTS_UNFIT, -1, "%s: locks stay on this machine; mount it without nolock and local_lock", dir);
	else
		mounts_say(m, "file system", MOUNTS_INFO, -1, "%s: %.*s, %s", dir, (int)type_len, type, options);
}

static void try_options(struct mounts *m, const char *dir)
{
	cleanup_str struct str type = STR_INIT, options = STR_INIT;
	cleanup_fd int fd = os_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);

	if (fd >= 0 && fs_describe(fd, &type, &options) == 0)
		say_options(m, dir, type.buf, type.len, options.buf);
}

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

	for (i = 0; i < ROUNDS; i++) {
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
	}
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
	mounts_say(m, "clocks", differ > CLOCKS ? MOUNTS_STALE : MOUNTS_INFO, differ, "this machine's and the file system's differ by it");
	mounts_say(m, "birth times", MOUNTS_INFO, -1, "%s", sx->stx_mask & STATX_BTIME ? "there are" : "there are none");
}

/* What one machine needs. */
static void try_alone(struct mounts *m)
{
	cleanup_fd int fd = -1, second = -1;
	struct statx sx;

	if (os_write_file(m->a, "first", "x", 1, false) < 0)
		return mounts_failed(m, "files", "making a file");
	fd = os_lock_open(m->a, "first");
	second = os_lock_open(m->a, "first");
	if (fd < 0 || second < 0 || os_lock(fd, true, 0, NULL) < 0)
		mounts_failed(m, "locks of one machine", "flock");
	else if (os_lock(second, true, 0, NULL) == 0)
		mounts_say(m, "locks of one machine", MOUNTS_UNFIT, -1, "two have one lock at the same time");
	else
		mounts_say(m, "locks of one machine", MOUNTS_OK, -1, "flock keeps others out");
	if (linkat(m->a, "first", m->a, "second", 0) < 0)
		mounts_failed(m, "hard links", "link(2)");
	else if (linkat(m->a, "first", m->a, "second", 0) == 0 || errno != EEXIST)
		mounts_say(m, "hard links", MOUNTS_UNFIT, -1, "link does not say that a name is taken");
	else
		mounts_say(m, "hard links", MOUNTS_OK, -1, "there are");
	if (mkdirat(m->a, "x", 0700) < 0 || mkdirat(m->a, "y", 0700) < 0)
		return mounts_failed(m, "directories", "mkdir");
	mounts_say(m, "exchange of names", MOUNTS_INFO, -1, "%s",
		   renameat2(m->a, "x", m->a, "y", RENAME_EXCHANGE) == 0 ? "can be done" : strerror(errno));
	if (statx(m->a, "first", AT_STATX_FORCE_SYNC, STATX_BASIC_STATS | STATX_BTIME, &sx) < 0)
		return mounts_failed(m, "times", "statx");
	try_times(m, &sx);
	try_flushes(m);
}

/* One file system may be mounted twice as one (NFS shares what it caches): then there is only one client. */
static int meet_other(struct mounts *m, const char *name, struct err *e)
{
	cleanup_str struct str said = STR_INIT, own = STR_INIT;
	const char *other = m->o->with ? "the other machine" : m->o->other;
	struct stat sb;
	size_t len;

	if (mounts_meet(m, e) < 0)
		return -1;
	if (mounts_tell(m, "enter %s", name) < 0 || mounts_hear(m, &said) < 0)
		return err_sys(e, "%s does not have the directory that %s is, or does not show what is made there", other, m->o->dir);
	if (fstat(m->a, &sb) < 0)
		return err_sys(e, "cannot look at %s", m->o->dir);
	mounts_add_machine(&own, &sb);
	len = strcspn(said.buf, " ");
	if (len == own.len && memcmp(said.buf, own.buf, len) == 0)
		return err_set(e, ERR_UNKNOWN, "%s and %s are one mount: mount the volume twice (NFS: with nosharecache)", m->o->dir, other);
	if (said.buf[len] == ' ') {
		const char *type = said.buf + len + 1, *options = strchr(type, ' ');

		if (options)
			say_options(m, other, type, (size_t)(options - type), options + 1);
	}
	return 0;
}

/* Clocks of machines: rules and tokens speak of real time. */
static void try_clocks(struct mounts *m)
{
	uint64_t theirs, ours;

	if (mounts_ask(m, &theirs, "now") < 0)
		return mounts_failed(m, "clocks of two machines", "asking");
	ours = (uint64_t)time(NULL);
	theirs = theirs > ours ? theirs - ours : ours - theirs;
	mounts_say(m, "clocks of two machines", theirs > CLOCKS / SECOND ? MOUNTS_STALE : MOUNTS_INFO, (int64_t)theirs * SECOND,
		   "differ by it, to a second");
}

static int try_in(struct mounts *m, int dirfd, const char *name, struct err *e)
{
	m->a = os_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (m->a < 0)
		return err_sys(e, "cannot open %s/%s", m->o->dir, name);
	try_options(m, m->o->dir);
	if ((m->o->other || m->o->with) && meet_other(m, name, e) < 0)
		return -1;
	try_alone(m);
	if (m->b < 0)
		return 0;
	if (m->o->with)
		try_clocks(m);
	mounts_locks(m);
	mounts_handover(m);
	mounts_winners(m);
	mounts_ages(m);
	mounts_open_files(m);
	if (m->o->client)
		mounts_client(m);
	return 0;
}

int mounts_try(const struct mounts_options *o, enum mounts_verdict *worst, struct err *e)
{
	struct mounts m = { .o = o, .a = -1, .b = -1, .worst = MOUNTS_OK };
	cleanup_fd int dirfd = os_open(AT_FDCWD, o->dir, O_RDONLY | O_DIRECTORY, 0);
	cleanup_str struct str name = STR_INIT;
	uint64_t random;
	int rc;

	*worst = MOUNTS_OK;
	os_random(&random, sizeof(random));
	str_addf(&name, MOUNTS_PREFIX "%016" PRIx64, random);
	if (dirfd < 0 || mkdirat(dirfd, name.buf, 0700) < 0)
		return err_sys(e, "cannot make a directory in %s", o->dir);
	rc = try_in(&m, dirfd, name.buf, e);
	mounts_part(&m);
	os_cleanup_fd(&m.a);
	if (os_remove_tree(dirfd, name.buf) < 0 && rc == 0)
		rc = err_sys(e, "cannot remove %s/%s", o->dir, name.buf);
	*worst = m.worst;
	return rc;
}
