/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: opening the directory, flushing, temporary names and the trash.
 *
 * Owns the root's descriptor, the collector's lock files and berth/{format,tmp,trash}. Knows nothing of HTTP or JSON.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/epoch.h"
#include "store/probe.h"
#include "store/store_path.h"

/* Made in this order; each one's parent stands before it. */
static const char *const layout[] = {
	"docker",
	"docker/registry",
	"docker/registry/v2",
	"docker/registry/v2/blobs",
	"docker/registry/v2/blobs/sha256",
	"docker/registry/v2/blobs/sha512",
	"docker/registry/v2/repositories",
	"berth",
	"berth/body",
	"berth/tmp",
	"berth/trash",
	"berth/gc",
	"berth/index",
	"berth/index/_catalog",
	STORE_LOCKS_DIR,
	"berth/locks/repository",
};

/* Those that hold names which a promise rests on. What is lost of the others is made again, and nothing with it is. */
static const char *const vital[] = {
	"docker", "docker/registry", "docker/registry/v2", STORE_BLOBS_DIR, "berth", "berth/index",
};

static int write_format(int dirfd, bool flush, struct err *e)
{
	char tmp[64], text[16];
	uint64_t random;

	os_random(&random, sizeof(random));
	snprintf(tmp, sizeof(tmp), STORE_TMP_DIR "/format-%016" PRIx64, random);
	snprintf(text, sizeof(text), "%d\n", STORE_FORMAT);
	if (os_write_file(dirfd, tmp, text, strlen(text), flush) == 0 &&
	    renameat(dirfd, tmp, dirfd, STORE_FORMAT_FILE) == 0)
		return 0;
	err_sys(e, "cannot write %s", STORE_FORMAT_FILE);
	unlinkat(dirfd, tmp, 0);
	return -1;
}

static int check_format(int dirfd, bool may_write, bool flush, struct err *e)
{
	char text[32];
	uint64_t version;
	ssize_t n = os_read_file(dirfd, STORE_FORMAT_FILE, text, sizeof(text) - 1);

	if (n < 0 && errno != ENOENT)
		return err_sys(e, "cannot read %s", STORE_FORMAT_FILE);
	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return may_write ? write_format(dirfd, flush, e) : 0;
	if (str_parse_u64(text, (size_t)n, &version) < 0 || version > STORE_FORMAT) {
		errno = EPROTO;
		return err_sys(e, "%s is of a newer berth (this one knows format %d)", STORE_FORMAT_FILE, STORE_FORMAT);
	}
	return 0;
}

/*
 * Versions before 1.0 kept links there for an nginx that serves while no worker lives. Nobody keeps them up any more, and an
 * nginx that is configured as it was then would follow them: they go, durably.
 */
static int remove_fallback(int dirfd, bool flush, struct err *e)
{
	static const char set_aside[] = STORE_TRASH_DIR "/fallback";

	os_remove_tree(dirfd, set_aside);
	if (renameat(dirfd, STORE_FALLBACK_DIR, dirfd, set_aside) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot remove %s", STORE_FALLBACK_DIR);
	if (flush && os_fsync_above(dirfd, STORE_FALLBACK_DIR, 1) < 0)
		return err_sys(e, "cannot flush the directory of %s", STORE_FALLBACK_DIR);
	os_remove_tree(dirfd, set_aside);
	return 0;
}

/* What was not there is not for other users, whatever the umask; what was there is as open as somebody has made it. */
static int make_root(const char *root)
{
	mode_t mask = umask(0);
	int rc;

	umask(mask | 027);
	rc = os_mkdirs(AT_FDCWD, root);
	umask(mask);
	return rc;
}

/* The top keeps others out of all below it, also where somebody has made an open root for it. */
static mode_t layout_mode(const char *dir)
{
	return strchr(dir, '/') && strcmp(dir, STORE_LOCKS_DIR) != 0 ? 0777 : 0750;
}

/*
 * Whoever can open a file can lock it, and everybody else waits then. Where this fails, as in a directory of somebody else's,
 * store_others_may_read() tells.
 */
static void close_locks(int dirfd)
{
	struct stat sb;

	if (fstatat(dirfd, STORE_LOCKS_DIR, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(sb.st_mode) && (sb.st_mode & S_IRWXO))
		fchmodat(dirfd, STORE_LOCKS_DIR, sb.st_mode & 0770, 0);
}

int store_prepare(const struct store_options *o, struct err *e)
{
	cleanup_fd int dirfd = -1;
	size_t i;

	if (!o->readonly && make_root(o->root) < 0)
		return err_sys(e, "cannot make the store %s", o->root);
	dirfd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		return err_sys(e, "cannot open the store %s", o->root);
	if (o->readonly)
		return check_format(dirfd, false, false, e);
	for (i = 0; i < ARRAY_LEN(layout); i++)
		if (mkdirat(dirfd, layout[i], layout_mode(layout[i])) < 0 && errno != EEXIST)
			return err_sys(e, "cannot make %s/%s", o->root, layout[i]);
	close_locks(dirfd);
	if (faccessat(dirfd, "berth/tmp", W_OK | X_OK, AT_EACCESS) < 0 ||
	    faccessat(dirfd, "docker/registry/v2/repositories", W_OK | X_OK, AT_EACCESS) < 0)
		return err_sys(e, "the store %s can't be written by uid %d", o->root, (int)geteuid());
	if (probe_file_system(dirfd, o->root, e) < 0 || check_format(dirfd, true, o->flush, e) < 0)
		return -1;
	return remove_fallback(dirfd, o->flush, e);
}

/* Who finds a directory flushes its parent all the same: whoever made it may have died before it did. */
int store_flush_layout(const struct store_options *o, int dirfd, struct err *e)
{
	size_t i;

	if (!o->flush)
		return 0;
	if (os_fsync(dirfd) < 0 || (os_fsync_dir(dirfd, "..") < 0 && errno != EACCES))
		return err_sys(e, "cannot flush the store %s", o->root);
	for (i = 0; i < ARRAY_LEN(vital); i++)
		if (os_fsync_dir(dirfd, vital[i]) < 0)
			return err_sys(e, "cannot flush %s/%s", o->root, vital[i]);
	return 0;
}

static mode_t umask_now(void)
{
	mode_t m = umask(0);

	umask(m);
	return m;
}

static int open_locks(struct store *st, const char *root, struct err *e)
{
	st->turnstile_fd = os_lock_open(st->dirfd, STORE_TURNSTILE_FILE);
	if (st->turnstile_fd >= 0)
		st->collector_fd = os_lock_open(st->dirfd, STORE_COLLECTOR_FILE);
	return st->collector_fd < 0 ? err_sys(e, "cannot open the lock files below %s/berth/locks", root) : 0;
}

int store_open(struct store **out, const struct store_options *o, struct err *e)
{
	struct store *st = xcalloc(1, sizeof(*st));

	*out = NULL;
	st->flush = o->flush;
	st->readonly = o->readonly;
	st->seats = o->seats;
	st->nseats = o->nseats;
	st->file_mode = 0666 & ~umask_now();
	st->turnstile_fd = st->collector_fd = -1;
	os_random(&st->id, sizeof(st->id));
	st->dirfd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);
	if (st->dirfd < 0) {
		err_sys(e, "cannot open the store %s", o->root);
		goto fail;
	}
	if (!st->readonly && (open_locks(st, o->root, e) < 0 || epoch_read(st->dirfd, st->epoch, e) < 0))
		goto fail;
	*out = st;
	return 0;
fail:
	store_close(&st);
	return -1;
}

void store_close(struct store **stp)
{
	struct store *st = *stp;

	if (!st)
		return;
	os_cleanup_fd(&st->dirfd);
	os_cleanup_fd(&st->turnstile_fd);
	os_cleanup_fd(&st->collector_fd);
	free(st);
	*stp = NULL;
}

static bool others_enter(const struct store *st, const char *dir)
{
	struct stat sb;

	return fstatat(st->dirfd, dir, &sb, 0) == 0 && (sb.st_mode & S_IXOTH);
}

bool store_others_may_read(const struct store *st)
{
	return others_enter(st, ".") &&
	       (others_enter(st, "docker") || (others_enter(st, "berth") && others_enter(st, STORE_LOCKS_DIR)));
}

int store_flush_fd(struct store *st, int fd)
{
	return st->flush ? os_fsync(fd) : 0;
}

int store_flush_dir(struct store *st, const char *path)
{
	return st->flush ? os_fsync_dir(st->dirfd, path) : 0;
}

int store_flush_above(struct store *st, const char *path, unsigned count)
{
	return st->flush ? os_fsync_above(st->dirfd, path, count) : 0;
}

int store_flush_all(struct store *st)
{
	return st->flush ? syncfs(st->dirfd) : 0;
}

void store_make_young(int fd, const struct stat *sb)
{
	if (sb->st_mtim.tv_sec != time(NULL))
		futimens(fd, NULL);
}

int store_read(struct store *st, const char *path, uint64_t max, struct str *out)
{
	cleanup_fd int fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
	struct stat sb;

	str_reset(out);
	if (fd < 0)
		return os_gone(errno) ? 0 : -1;
	if (fstat(fd, &sb) < 0)
		return -1;
	if (!S_ISREG(sb.st_mode) || (uint64_t)sb.st_size > max) {
		errno = EUCLEAN;
		return -1;
	}
	return os_read_str(fd, (uint64_t)sb.st_size, out) < 0 ? -1 : 1;
}

int store_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush)
{
	cleanup_str struct str tmp = STR_INIT;
	int saved;

	store_tmp(st, &tmp);
	if (os_write_file(st->dirfd, tmp.buf, buf, len, flush && st->flush) == 0 &&
	    (renameat(st->dirfd, tmp.buf, st->dirfd, path) == 0 ||
	     /* A directory that got there by mistake: a file of berth's own can be made again, and a directory is none. */
	     (errno == EISDIR && os_remove_tree(st->dirfd, path) == 0 && renameat(st->dirfd, tmp.buf, st->dirfd, path) == 0)))
		return 0;
	saved = errno;
	unlinkat(st->dirfd, tmp.buf, 0);
	errno = saved;
	return -1;
}

int store_blocked(struct store *st, const char *path, struct str *at)
{
	const char *slash = path;
	struct stat sb;

	do {
		slash = strchr(slash, '/');
		str_reset(at);
		str_add(at, path, slash ? (size_t)(slash++ - path) : strlen(path));
		/* A link to a directory will do. */
		if (fstatat(st->dirfd, at->buf, &sb, 0) == 0 && S_ISDIR(sb.st_mode))
			continue;
		if (fstatat(st->dirfd, at->buf, &sb, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1;
		if (!S_ISDIR(sb.st_mode))
			return 1;
	} while (slash);
	return 0;
}

int store_unblock(struct store *st, const char *path)
{
	cleanup_str struct str at = STR_INIT;
	int blocked = store_blocked(st, path, &at);

	return blocked == 1 ? unlinkat(st->dirfd, at.buf, 0) : blocked;
}

static void unique_name(struct store *st, const char *dir, struct str *path)
{
	str_reset(path);
	str_addf(path, "%s/%016" PRIx64 "-%" PRIu64, dir, st->id, st->serial++);
}

void store_forked(struct store *st)
{
	os_random(&st->id, sizeof(st->id));
}

void store_tmp(struct store *st, struct str *path)
{
	unique_name(st, STORE_TMP_DIR, path);
}

int store_trash(struct store *st, const char *path, struct str *out, struct err *e)
{
	int tries;

	unique_name(st, STORE_TRASH_DIR, out);
	for (tries = 0; tries < 2; tries++) {
		if (renameat(st->dirfd, path, st->dirfd, out->buf) == 0)
			return 1;
		/* What is missing may be the trash itself: EEXIST tells that it is not. */
		if (errno != ENOENT || mkdirat(st->dirfd, STORE_TRASH_DIR, 0777) < 0)
			break;
	}
	if (errno == EEXIST || errno == ENOTDIR)
		return 0;
	return err_sys(e, "cannot move %s to the trash", path);
}

int store_take(struct store *st, const char *dir, struct str *trashed, struct err *e)
{
	struct err full = ERR_INIT;
	int rc = store_trash(st, dir, trashed, &full);

	if (rc >= 0)
		return rc;
	str_reset(trashed);
	if (full.sys != ENOSPC && full.sys != EDQUOT) {
		*e = full;
		return -1;
	}
	err_release(&full);
	return os_remove_tree(st->dirfd, dir) < 0 ? err_sys(e, "cannot remove %s", dir) : 1;
}

void store_purge(struct store *st, const char *trashed)
{
	os_remove_tree(st->dirfd, trashed);
}

void store_purge_all(struct store *st, const struct names *trashed)
{
	size_t i;

	for (i = 0; i < trashed->count; i++)
		store_purge(st, trashed->v[i]);
}

int store_remove_dir(struct store *st, const char *dir, const char *file)
{
	cleanup_str struct str path = STR_INIT;
	bool there;

	str_addf(&path, "%s/%s", dir, file);
	there = unlinkat(st->dirfd, path.buf, 0) == 0 || !os_gone(errno);
	if (unlinkat(st->dirfd, dir, AT_REMOVEDIR) == 0 || !there)
		return there;
	return os_remove_tree(st->dirfd, dir) < 0 ? -1 : 1;
}

void store_purge_dir(struct store *st, const char *trashed, const char *file)
{
	if (store_remove_dir(st, trashed, file) <= 0)
		store_purge(st, trashed);
}
