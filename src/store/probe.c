/* SPDX-License-Identifier: Apache-2.0 */
/*
 * probe: testing a file system.
 *
 * Owns no state: its files below berth/tmp/ last for one test.
 */
#include "store/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/store_path.h"

#define CLOCK_SLACK 60          /* seconds that the clocks of two machines may differ */

/*
 * Ages are computed from the file system's times. A file that is written while the clock is behind looks old as soon as the
 * clock is right again, and the collector removes what is old.
 */
static void compare_clocks(int dirfd, const char *root, int64_t now)
{
	struct stat before;
	int64_t here = (int64_t)time(NULL);

	if (here - now > CLOCK_SLACK || now - here > CLOCK_SLACK)
		log_say(LOG_WARN, "clock", "the clocks of the file system of %s and of this machine differ by %" PRId64 " s; correct them", root,
			now - here);
	if (os_fstatat(dirfd, STORE_EPOCH_FILE, &before, 0) == 0 && before.st_mtime - now > CLOCK_SLACK)
		log_say(LOG_WARN, "clock",
			"the clock is %" PRId64 " s behind the last start on %s; set it right, and collect no garbage until gc.grace after",
			(int64_t)before.st_mtime - now, root);
}

static bool unsupported(int sys)
{
	return sys == EPERM || sys == EOPNOTSUPP || sys == ENOSYS || sys == EMLINK || sys == EINVAL;
}

static int try_all(int dirfd, const char *root, const char *file, const char *other, struct err *e)
{
	cleanup_fd int fd = -1;
	struct stat st;

	if (os_write_file(dirfd, file, "x", 1, false) < 0)
		return err_sys(e, "cannot write to the store %s", root);
	if (os_linkat(dirfd, file, dirfd, other, 0) < 0) {
		if (!unsupported(errno))
			return err_sys(e, "cannot make a link in the store %s", root);
		errno = EOPNOTSUPP;
		return err_sys(e, "the file system of %s has no hard links, by which blobs get into a store", root);
	}
	fd = os_lock_open(dirfd, file);
	if (fd < 0 || os_fstat(fd, &st) < 0)
		return err_sys(e, "cannot open a file of the store %s", root);
	if (os_lock(fd, true, 0, NULL) < 0) {
		errno = ENOLCK;
		return err_sys(e, "the file system of %s has no locks (flock)", root);
	}
	compare_clocks(dirfd, root, (int64_t)st.st_mtime);
	return 0;
}

int probe_file_system(struct store *st, const char *root, struct err *e)
{
	cleanup_str struct str file = STR_INIT, other = STR_INIT;
	int rc;

	store_tmp(st, &file);
	store_tmp(st, &other);
	rc = try_all(st->dirfd, root, file.buf, other.buf, e);
	os_unlinkat(st->dirfd, other.buf, 0);
	os_unlinkat(st->dirfd, file.buf, 0);
	return rc;
}

int probe_read(struct store *st)
{
	cleanup_fd int fd = os_open(st->dirfd, STORE_REPOSITORIES_DIR, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? errno : 0;
}

int probe_access(struct store *st, const char *path)
{
	struct stat sb;
	int need;

	if (os_fstatat(st->dirfd, path, &sb, 0) < 0)
		return errno == EACCES ? EACCES : 0;
	if (S_ISDIR(sb.st_mode))
		need = st->readonly ? R_OK | X_OK : R_OK | W_OK | X_OK;
	else
		need = st->readonly || sb.st_uid == geteuid() ? R_OK : R_OK | W_OK;
	return os_faccessat(st->dirfd, path, need, AT_EACCESS) < 0 && errno == EACCES ? EACCES : 0;
}

/* What is above blobs/ and repositories/ may be on another file system: nothing is renamed into it. */
static bool only_passed(const char *path)
{
	return strcmp(path, STORE_DOCKER_DIR) == 0 || strcmp(path, STORE_REGISTRY_DIR) == 0 || strcmp(path, STORE_V2_DIR) == 0;
}

/*
 * rename(2) of a name that does not exist says EXDEV where the directories are on different mounts, also of one file system. It does
 * not for the subvolumes of one mount (Btrfs); the device numbers of these differ.
 */
bool probe_elsewhere(struct store *st, const char *dir)
{
	cleanup_str struct str none = STR_INIT, to = STR_INIT;
	struct stat here, there;

	if (only_passed(dir) || os_fstatat(st->dirfd, STORE_TMP_DIR, &here, 0) < 0 || os_fstatat(st->dirfd, dir, &there, 0) < 0 ||
	    !S_ISDIR(there.st_mode))
		return false;
	store_tmp(st, &none);
	path_in(&to, dir, strrchr(none.buf, '/') + 1);
	return here.st_dev != there.st_dev || (os_renameat(st->dirfd, none.buf, st->dirfd, to.buf) < 0 && errno == EXDEV);
}

int probe_path(struct store *st, const char *path, struct str *at)
{
	size_t len = 0;

	while (path[len]) {
		int error;

		len += strcspn(path + len, "/");
		str_reset(at);
		str_add(at, path, len);
		len += strspn(path + len, "/");
		error = probe_access(st, at->buf);
		if (!error && !st->readonly && probe_elsewhere(st, at->buf))
			error = EXDEV;
		if (error)
			return error;
	}
	return 0;
}

/* The kernel removes an unnamed file whatever happens. Without support for that, the file is named and unlinked at once. */
static int open_nameless(struct store *st)
{
	cleanup_str struct str tmp = STR_INIT;
	int fd = os_open(st->dirfd, STORE_TMP_DIR, O_TMPFILE | O_WRONLY, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	store_tmp(st, &tmp);
	fd = os_open(st->dirfd, tmp.buf, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		os_unlinkat(st->dirfd, tmp.buf, 0);
	return fd;
}

int probe_write(struct store *st)
{
	static const char block[4096];
	cleanup_fd int fd = open_nameless(st);

	if (fd < 0 || os_write_full(fd, block, sizeof(block)) < 0)
		return errno;
	return probe_read(st);
}

void probe_remedy(const char *root, int sys, struct str *out)
{
	struct stat st;

	switch (sys) {
	case ENOSPC:
	case EDQUOT:
		str_puts(out, "; make room, or have `berth gc` make it, or serve with readonly = true");
		break;
	case EROFS:
		str_puts(out, "; mount it for writing, or serve with readonly = true");
		break;
	case EXDEV:
		str_addf(out, "; a store is on one file system: mount the volume at %s, or copy the directory there", root);
		break;
	case EOPNOTSUPP:
	case ENOLCK:
		str_puts(out, "; take ext4, xfs, btrfs, zfs or NFSv4");
		break;
	case EACCES:
	case EPERM:
		if (stat(root, &st) < 0)
			str_addf(out, "; make it by hand, for uid %u", (unsigned)geteuid());
		else if (st.st_uid != geteuid())
			str_addf(out, "; run as uid %u, who owns %s, or give all of it to uid %u", (unsigned)st.st_uid, root,
				 (unsigned)geteuid());
		else
			str_addf(out, "; give all of %s to uid %u, who owns it", root, (unsigned)geteuid());
		break;
	default:
		break;
	}
}
