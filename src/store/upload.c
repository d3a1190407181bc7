/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upload: upload sessions on disk.
 *
 * Owns repositories/<name>/_uploads/<uuid>/. Knows nothing of HTTP, users or digests.
 * Invariant: the size of `data` is the number of bytes accepted. If a worker is killed, the client can continue its upload;
 * if it does not, the collector removes the upload when it is old.
 */
#include "store/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/lock.h"
#include "store/store_path.h"

/*
 * Gives a complete upload its name. Directories are created only under lock_collector: whoever removes or moves a repository
 * holds that lock exclusively, and has listed everything in it.
 */
static int put_in_place(struct store *st, const struct name *n, const char *tmp, const char *dir, struct err *e)
{
	cleanup_str struct str above = STR_INIT;
	cleanup_collector struct store *held = NULL;

	if (os_renameat(st->dirfd, tmp, st->dirfd, dir) == 0)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "cannot make %s", dir);
	path_uploads(&above, n);
	if (lock_collector(st, e) < 0)
		return -1;
	held = st;
	if (os_mkdirs(st->dirfd, above.buf) < 0 || os_renameat(st->dirfd, tmp, st->dirfd, dir) < 0)
		return err_sys(e, "cannot make %s", dir);
	return 0;
}

int upload_create(struct store *st, const struct name *n, struct uuid *out, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT, file = STR_INIT, dir = STR_INIT;
	char started[TIME_RFC3339_MAX];
	unsigned char random[16];
	struct timespec now;

	os_random(random, sizeof(random));
	uuid_from_random(out, random);
	clock_gettime(CLOCK_REALTIME, &now);
	time_rfc3339(started, &now, 0);
	store_tmp(st, &tmp);
	if (os_mkdir_once(st->dirfd, tmp.buf) < 0)      /* as in store_make(): nobody else gives this name */
		return err_sys(e, "cannot make %s", tmp.buf);
	path_in(&file, tmp.buf, STORE_STARTED);
	if (store_write(st, file.buf, started, strlen(started), false) < 0) {
		err_sys(e, "cannot write %s", file.buf);
		goto fail;
	}
	path_upload(&dir, n, out);
	if (put_in_place(st, n, tmp.buf, dir.buf, e) == 0)
		return 0;
fail:
	os_remove_tree(st->dirfd, tmp.buf);
	return -1;
}

/* Whether errno says that there is no file, or something else than a file. */
static bool is_no_file(void)
{
	return os_gone(errno) || errno == EUCLEAN;
}

/* Whether the file at path is still the open one: after waiting for its lock the upload may have ended. */
static int still_named(struct store *st, const char *path, int fd)
{
	struct stat a, b;
	cleanup_fd int now = os_open_look(st->dirfd, path, O_RDONLY, &b);

	if (now < 0)
		return is_no_file() ? 0 : -1;
	if (os_fstat(fd, &a) < 0)
		return os_gone(errno) ? 0 : -1;
	return a.st_ino == b.st_ino && a.st_dev == b.st_dev && S_ISREG(a.st_mode);
}

static int still_exists(const struct upload *u, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int exists;

	path_upload_file(&path, &u->name, &u->uuid, STORE_STARTED);
	exists = still_named(u->st, path.buf, u->lock_fd);
	return exists < 0 ? err_sys(e, "cannot look at %s", path.buf) : exists;
}

int upload_must_exist(const struct upload *u, struct err *e)
{
	int exists = still_exists(u, e);

	return exists == 0 ? err_set(e, ERR_BLOB_UPLOAD_UNKNOWN, "%s", u->uuid.s) : exists < 0 ? -1 : 0;
}

/* Anything but a regular file counts as no data. */
static int open_data(struct upload *u, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	upload_data_path(u, &path);
	u->fd = os_open_look(u->st->dirfd, path.buf, O_RDWR, &sb);
	if (u->fd < 0)
		return errno == ENOENT || errno == EUCLEAN ? 0 : err_sys(e, "cannot open %s", path.buf);
	if (S_ISREG(sb.st_mode))
		u->size = (uint64_t)sb.st_size;
	else
		os_cleanup_fd(&u->fd);
	return 0;
}

static int lock_upload(struct upload *u, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_upload_file(&path, &u->name, &u->uuid, STORE_STARTED);
	u->lock_fd = os_open_file(u->st->dirfd, path.buf, O_RDWR, 0);
	if (u->lock_fd < 0)
		return is_no_file() ? 0 : err_sys(e, "cannot open %s", path.buf);
	if (lock_acquire(u->st, u->lock_fd, LOCK_UPLOAD, e) < 0)
		return -1;
	return still_exists(u, e);
}

int upload_open(struct upload **out, struct store *st, const struct name *n, const struct uuid *uuid, struct err *e)
{
	struct upload *u = xcalloc(1, sizeof(*u));
	int found;

	*out = NULL;
	u->st = st;
	u->name = *n;
	u->uuid = *uuid;
	u->lock_fd = u->fd = -1;
	found = lock_upload(u, e);
	if (found == 1 && open_data(u, e) < 0)
		found = -1;
	/* Without data: either nothing was uploaded yet, or the repository was removed or moved since the check above. */
	if (found == 1 && u->fd < 0)
		found = still_exists(u, e);
	if (found == 1)
		*out = STEAL(u);
	upload_close(&u);
	return found;
}

void upload_close(struct upload **up)
{
	struct upload *u = *up;

	if (!u)
		return;
	os_cleanup_fd(&u->fd);
	os_cleanup_fd(&u->lock_fd);
	free(u);
	*up = NULL;
}

int upload_size(struct store *st, const struct name *n, const struct uuid *uuid, unsigned wait, uint64_t *size,
		bool *busy, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int started = -1, data = -1;
	struct stat sb;
	int found;

	*size = 0;
	*busy = false;
	path_upload_file(&path, n, uuid, STORE_STARTED);
	started = os_open_file(st->dirfd, path.buf, O_RDONLY, 0);
	if (started < 0)
		return is_no_file() ? 0 : err_sys(e, "cannot open %s", path.buf);
	*busy = os_lock(started, false, wait, NULL) < 0 && errno == EWOULDBLOCK;
	path_upload_file(&path, n, uuid, STORE_DATA);
	data = os_open_look(st->dirfd, path.buf, O_RDONLY, &sb);
	if (data < 0 && (errno == ENOENT || errno == EUCLEAN)) {      /* nothing uploaded yet, or the upload was removed meanwhile */
		path_upload_file(&path, n, uuid, STORE_STARTED);
		found = still_named(st, path.buf, started);
		return found < 0 ? err_sys(e, "cannot look at %s", path.buf) : found;
	}
	if (data < 0)
		return err_sys(e, "cannot open %s", path.buf);
	*size = S_ISREG(sb.st_mode) ? (uint64_t)sb.st_size : 0;
	return 1;
}

int upload_age(struct store *st, const struct name *n, const struct uuid *uuid, int64_t *when, uint64_t *size,
	       struct err *e)
{
	static const char *const files[] = { STORE_STARTED, STORE_DATA };
	cleanup_str struct str path = STR_INIT;
	struct stat sb;
	size_t i;

	*when = 0;
	*size = 0;
	for (i = 0; i < ARRAY_LEN(files); i++) {
		cleanup_fd int fd = -1;

		path_upload_file(&path, n, uuid, files[i]);
		fd = os_open_look(st->dirfd, path.buf, O_RDONLY, &sb);
		if (fd < 0 && !is_no_file())
			return err_sys(e, "cannot open %s", path.buf);
		if (fd < 0 || !S_ISREG(sb.st_mode))
			return i == 0 ? 0 : 1;  /* without startedat there is no upload; without data it is empty */
		if (i == 0 || (int64_t)sb.st_mtim.tv_sec > *when)
			*when = (int64_t)sb.st_mtim.tv_sec;
		*size = i ? (uint64_t)sb.st_size : 0;
	}
	return 1;
}

void upload_data_path(const struct upload *u, struct str *path)
{
	path_upload_file(path, &u->name, &u->uuid, STORE_DATA);
}

/* The first body becomes `data`: the web server removes its own name for the file, and never writes to it again. */
static int adopt(struct upload *u, const struct spool *body, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	upload_data_path(u, &path);
	if (fchmod(body->fd, u->st->file_mode) < 0)
		return err_sys(e, "cannot set the mode of %s", body->path.buf);
	if (os_linkat(u->st->dirfd, body->path.buf, u->st->dirfd, path.buf, 0) < 0) {
		struct err failed = ERR_INIT;

		err_sys(&failed, "cannot link %s into the upload", body->path.buf);
		if (failed.sys == ENOENT && upload_must_exist(u, e) < 0)
			return -1;
		if (failed.sys == EEXIST)       /* not a regular file, or it would have been opened as data */
			return err_set(e, ERR_BLOB_UPLOAD_UNKNOWN, "%s", u->uuid.s);
		*e = failed;
		return -1;
	}
	if (open_data(u, e) == 0 && (u->fd >= 0 || upload_must_exist(u, e) == 0))
		return 0;
	os_unlinkat(u->st->dirfd, path.buf, 0);    /* accept all of the body or nothing */
	os_cleanup_fd(&u->fd);
	return -1;
}

/*
 * The web server has the body open until it has its answer, and the client of a network file system may keep what was written until
 * then: another machine would see an upload without these bytes, although they were acknowledged.
 */
static int show(const struct upload *u, int fd, uint64_t size, struct err *e)
{
	if (u->st->local)
		return 0;
	if ((u->st->by_length && ftruncate(fd, (off_t)size) < 0) || os_fsync(fd) < 0)
		return err_sys(e, "cannot show the upload to other machines");
	return 0;
}

int upload_append(struct upload *u, const struct spool *body, struct err *e)
{
	if (body->size == 0)
		return 0;
	if (u->fd < 0)
		return show(u, body->fd, body->size, e) < 0 ? -1 : adopt(u, body, e);
	if (os_append(u->fd, u->size, body->fd, 0, body->size) < 0)
		return err_sys(e, "cannot append to the upload");
	if (show(u, u->fd, u->size + body->size, e) < 0)
		return -1;
	u->size += body->size;
	return 0;
}

void upload_cut(struct upload *u, uint64_t size)
{
	cleanup_str struct str path = STR_INIT;

	upload_data_path(u, &path);
	/* If `data` has become a blob meanwhile, it must not be truncated. */
	if (u->fd >= 0 && u->size != size && still_named(u->st, path.buf, u->fd) == 1 &&
	    ftruncate(u->fd, (off_t)size) == 0)
		u->size = size;
}

/* In the upload's directory, which is in berth/tmp/ now: startedat, which is open and locked, becomes the link. */
static int rewrite(struct upload *u, const struct digest *d, const char *tmp)
{
	cleanup_str struct str from = STR_INIT, to = STR_INIT;

	path_in(&from, tmp, STORE_DATA);
	if (os_unlinkat(u->st->dirfd, from.buf, 0) < 0 && errno != ENOENT)
		return -1;
	/* Written by registry:2. */
	path_in(&from, tmp, STORE_HASHSTATES);
	if (os_unlinkat(u->st->dirfd, from.buf, AT_REMOVEDIR) < 0 && errno != ENOENT && os_remove_tree(u->st->dirfd, from.buf) < 0)
		return -1;
	path_in(&from, tmp, STORE_STARTED);
	path_in(&to, tmp, STORE_LINK);
	/* Overwriting the existing block needs no space, except on copy-on-write file systems (btrfs, zfs). */
	if (os_overwrite(u->lock_fd, d->text, strlen(d->text)) < 0 || store_flush_fd(u->st, u->lock_fd) < 0 ||
	    os_renameat(u->st->dirfd, from.buf, u->st->dirfd, to.buf) < 0)
		return -1;
	return store_flush_new(u->st, tmp);
}

int upload_become_link(struct upload *u, const struct digest *d, struct str *tmp, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_upload(&dir, &u->name, &u->uuid);
	store_tmp(u->st, tmp);
	/* The collector removes old entries of berth/tmp/, and the upload may be old. */
	if (os_utimensat(u->st->dirfd, dir.buf, NULL, 0) < 0)
		return err_sys(e, "cannot touch %s", dir.buf);
	if (os_renameat(u->st->dirfd, dir.buf, u->st->dirfd, tmp->buf) < 0)
		return err_sys(e, "cannot move %s", dir.buf);
	u->taken = true;
	if (rewrite(u, d, tmp->buf) == 0)
		return 0;
	err_sys(e, "cannot turn the upload in %s into a link", tmp->buf);
	os_remove_tree(u->st->dirfd, tmp->buf);
	return -1;
}

int upload_remove(struct upload *u, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, trashed = STR_INIT;

	if (u->taken)
		return 0;
	path_upload(&dir, &u->name, &u->uuid);
	if (store_trash(u->st, dir.buf, &trashed, e) < 0)
		return -1;
	store_purge(u->st, trashed.buf);
	return 0;
}
