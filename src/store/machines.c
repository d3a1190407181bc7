/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machines: the files by which masters on several machines find each other.
 *
 * Owns berth/locks/machines/. Reads clocks only to wait: what happens on another machine is known by what it writes.
 */
#include "store/machines.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"
#include "store/beat.h"
#include "store/store_path.h"

#define BEAT UINT64_C(2000000)          /* microseconds */
#define WATCH (3 * BEAT)
#define LOOK 100000                     /* pause between two looks at a file */
#define OLD 60                          /* seconds after which a file that nobody has locked is not watched */

static int write_beat(int fd, uint64_t count, int64_t since)
{
	char text[BEAT_MAX];

	if (os_overwrite(fd, text, beat_text(text, count, since)) < 0)
		return -1;
	return os_fsync(fd);
}

static int make_own(struct store *st, struct machine *m, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t random;

	m->since = (int64_t)time(NULL);
	if (os_mkdirat(st->dirfd, STORE_MACHINES_DIR, 0777) < 0 && errno != EEXIST)
		return err_sys(e, "cannot make %s", STORE_MACHINES_DIR);
	os_random(&random, sizeof(random));
	snprintf(m->name, sizeof(m->name), "%016" PRIx64, random);
	path_in(&path, STORE_MACHINES_DIR, m->name);
	m->fd = os_lock_open(st->dirfd, path.buf);
	if (m->fd < 0 || os_lock(m->fd, true, 0, NULL) < 0 || write_beat(m->fd, 0, m->since) < 0)
		return err_sys(e, "cannot make and lock %s", path.buf);
	return 0;
}

/* A lock for reading is enough to find out whether somebody has the one for writing, and two that look do not meet. */
static bool is_locked(struct store *st, const char *path)
{
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_RDWR, 0);

	return fd >= 0 && os_lock(fd, false, 0, NULL) < 0 && errno == EWOULDBLOCK;
}

static ssize_t read_beat(struct store *st, const char *path, char text[BEAT_MAX])
{
	memset(text, 0, BEAT_MAX);
	return os_read_file(st->dirfd, path, text, BEAT_MAX);
}

static bool is_old(struct store *st, const char *path, const char *own)
{
	int64_t its, mine;
	uint64_t size;

	return os_age(st->dirfd, path, &its, &size) == 0 && os_age(st->dirfd, own, &mine, &size) == 0 && mine - its > OLD;
}

/* Whether a file that nobody seems to have locked is written to. */
static bool beats(struct store *st, const char *path)
{
	char before[BEAT_MAX], now[BEAT_MAX];
	uint64_t begun = time_now_usec();

	if (read_beat(st, path, before) <= 0)
		return false;
	while (time_now_usec() - begun < WATCH) {
		os_pause(LOOK);
		if (read_beat(st, path, now) <= 0)
			return false;
		if (memcmp(before, now, BEAT_MAX) != 0)
			return !is_locked(st, path);
	}
	return false;
}

int machines_join(struct store *st, const char *root, struct machine *m, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str own = STR_INIT;
	size_t i;

	*m = (struct machine)MACHINE_INIT;
	if (st->local || st->readonly)
		return 0;
	if (make_own(st, m, e) < 0 || os_dir_list(st->dirfd, STORE_MACHINES_DIR, DIR_ALL, &names) < 0) {
		if (!e->sys)
			err_sys(e, "cannot read %s", STORE_MACHINES_DIR);
		machines_leave(st->dirfd, m);
		return -1;
	}
	path_in(&own, STORE_MACHINES_DIR, m->name);
	for (i = 0; i < names.count; i++) {
		cleanup_str struct str path = STR_INIT;

		path_in(&path, STORE_MACHINES_DIR, names.v[i]);
		if (!beat_is_name(names.v[i]) || strcmp(names.v[i], m->name) == 0 || is_locked(st, path.buf))
			continue;
		if (!is_old(st, path.buf, own.buf) && beats(st, path.buf)) {
			machines_leave(st->dirfd, m);
			return err_set(e, ERR_UNAVAILABLE,
				       "other machines serve %s, and locks (flock) do not reach them; see `berth probe` and doc/MACHINES.md", root);
		}
		os_unlinkat(st->dirfd, path.buf, 0);
	}
	return 0;
}

void machines_leave(int dirfd, struct machine *m)
{
	cleanup_str struct str path = STR_INIT;

	if (m->fd < 0)
		return;
	path_in(&path, STORE_MACHINES_DIR, m->name);
	if (dirfd >= 0)
		os_unlinkat(dirfd, path.buf, 0);
	os_cleanup_fd(&m->fd);
}

int machines_beat(const struct machine *m, struct err *e)
{
	uint64_t count;

	for (count = 1;; count++) {
		/*
		 * A machine that stood still for long may have lost the lock: who starts would believe that locks do not reach it.
		 * That somebody who looks has it shared at this moment does not matter.
		 */
		os_lock(m->fd, true, 0, NULL);
		if (write_beat(m->fd, count, m->since) < 0)
			return err_sys(e, "cannot write to %s/%s", STORE_MACHINES_DIR, m->name);
		os_pause(BEAT);
	}
}
