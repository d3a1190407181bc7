/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machines_left: the files of masters that were killed.
 *
 * Owns no state. The age of a file says only when to look at it: clocks may be wrong. Whether its master may live is known by its lock and by
 * its number.
 */
#include "store/machines_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/store_path.h"

#define SAID 3600               /* seconds for which metrics and the page say of a machine that it is silent */
#define LOOKS 4                 /* with the same number: as long as a master that starts looks */

ssize_t machines_read(int dirfd, const char *path, char text[BEAT_MAX])
{
	memset(text, 0, BEAT_MAX);
	return os_read_file(dirfd, path, text, BEAT_MAX);
}

bool machines_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

bool machines_remove(const struct machine *m, const char *name, const char before[BEAT_MAX])
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	char now[BEAT_MAX];
	struct stat locked, named;

	path_in(&path, STORE_MACHINES_DIR, name);
	fd = os_open_look(m->dirfd, path.buf, O_RDWR, &locked);
	if (fd < 0 || os_lock(fd, true, 0, NULL) < 0)
		return false;
	return os_fstatat(m->dirfd, path.buf, &named, AT_SYMLINK_NOFOLLOW) == 0 && machines_same(&named, &locked) &&
	       machines_read(m->dirfd, path.buf, now) >= 0 && memcmp(before, now, BEAT_MAX) == 0 && os_unlinkat(m->dirfd, path.buf, 0) == 0;
}

/* By the file system's clock: this master has written to its own file just now. */
static bool is_old(const struct machine *m, const char *path)
{
	cleanup_str struct str own = STR_INIT;
	int64_t when, now;
	uint64_t size;

	path_in(&own, STORE_MACHINES_DIR, m->name);
	return os_age(m->dirfd, path, &when, &size) == 0 && os_age(m->dirfd, own.buf, &now, &size) == 0 && now - when >= SAID;
}

/* The next one in the order of names; after the last one the first. */
static void next(const struct machine *m, const struct names *names, struct machine_left *left)
{
	cleanup_str struct str path = STR_INIT;
	size_t i;

	for (i = 0; i < names->count; i++) {
		const char *name = names->v[i];

		if (!beat_is_name(name) || strcmp(name, m->name) == 0 || strcmp(name, left->name) <= 0)
			continue;
		memcpy(left->name, name, sizeof(left->name));
		path_in(&path, STORE_MACHINES_DIR, name);
		if (is_old(m, path.buf) && machines_read(m->dirfd, path.buf, left->before) >= 0)
			left->looks = 1;
		return;
	}
	left->name[0] = '\0';
}

void machines_look(const struct machine *m, const struct names *names, struct machine_left *left)
{
	cleanup_str struct str path = STR_INIT;
	char now[BEAT_MAX];

	if (!left->looks)
		return next(m, names, left);
	path_in(&path, STORE_MACHINES_DIR, left->name);
	if (machines_read(m->dirfd, path.buf, now) < 0 || memcmp(left->before, now, BEAT_MAX) != 0) {
		left->looks = 0;
		return;
	}
	if (++left->looks < LOOKS)
		return;
	left->looks = 0;
	if (machines_remove(m, left->name, left->before))
		log_say(LOG_INFO, "machines", "removed %s, which a master that was killed has left", path.buf);
}
