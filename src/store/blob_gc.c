/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob_gc: what the collector does with blobs: walk, ages, removal.
 *
 * Owns what blob.c owns. No request calls it.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "os/file.h"
#include "os/again.h"
#include "store/alone.h"
#include "store/blob.h"
#include "store/fence.h"
#include "store/link.h"
#include "store/quota.h"
#include "store/store_path.h"

int blob_walk(struct store *st, unsigned part, digest_visit *visit, void *arg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int alg, rc = 0;

	for (alg = 0; rc == 0 && alg < DIGEST_ALG_COUNT; alg++) {
		path_blobs_part(&dir, (enum digest_alg)alg, part);
		rc = walk_digests(st, dir.buf, (enum digest_alg)alg, visit, arg, e);
	}
	return rc;
}

int blob_walk_links(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e)
{
	return walk_all(st, n, path_layers, visit, arg, e);
}

int blob_age(struct store *st, const struct digest *d, int64_t *when, uint64_t *size, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	/* Not blob_open: a corrupt, empty file has an age too, and is collected like any other. */
	path_blob(&path, d);
	*size = 0;
	if (os_age(st->dirfd, path.buf, when, size) == 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
}

int blob_last_pull(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_layer(&dir, n, d);
	return link_age(st, dir.buf, d, when, target, e);
}

/* 1 with an owned descriptor, 0 absent, -1 with *e */
static int open_file(struct store *st, const struct digest *d, int *fd, struct stat *sb, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_blob(&path, d);
	*fd = os_open_look(st->dirfd, path.buf, O_RDONLY, sb);
	if (*fd < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot open %s", path.buf);
	return S_ISREG(sb->st_mode);
}

int blob_alone(struct store *st, const struct digest *d, uint64_t *size, struct err *e)
{
	cleanup_fd int fd = -1;
	struct stat sb;
	int found = open_file(st, d, &fd, &sb, e);

	*size = found == 1 ? (uint64_t)sb.st_size : 0;
	return found == 1 ? alone_has(&sb) : found;
}

int blob_forsake(struct store *st, const struct digest *d, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat sb;
	int found;

	path_blob(&path, d);
	/* Nearly all content needs no more than this look, which another machine's file system may answer from a cache. */
	if (st->local && (os_fstatat(st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) < 0 ? os_gone(errno) : !alone_has(&sb)))
		return 0;
	found = open_file(st, d, &fd, &sb, e);
	return found == 1 ? alone_take(st, NULL, d, fd, &sb, e) : found;
}

uint64_t blob_size(struct store *st, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	path_blob(&path, d);
	if (os_fstatat(st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(sb.st_mode))
		return 0;
	return (uint64_t)sb.st_size;
}

int blob_link_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		  struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int64_t of_content;
	uint64_t size;
	int found, content;

	path_layer(&dir, n, d);
	found = link_age(st, dir.buf, d, when, target, e);
	if (found != 1)
		return found;
	content = blob_age(st, target, &of_content, &size, e);
	if (content == 1 && of_content > *when)
		*when = of_content;
	return content < 0 ? -1 : 1;
}

int blob_collect(struct store *st, const struct digest *d, struct str *trashed, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_blob_dir(&dir, d);
	return fence_discard(st, dir.buf, trashed, e);
}

static int remove_dir(struct store *st, const char *dir, const char *file, struct err *e)
{
	int rc = store_remove_dir(st, dir, file);

	return rc < 0 ? err_sys(e, "cannot remove %s", dir) : rc;
}

int blob_remove(struct store *st, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_blob_dir(&dir, d);
	return remove_dir(st, dir.buf, STORE_DATA, e);
}

static int remove_link(struct store *st, const char *dir, struct str *trashed, struct err *e)
{
	(void)trashed;
	return remove_dir(st, dir, STORE_LINK, e);
}

int blob_remove_link(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	return quota_unlink(st, n, QUOTA_LAYER, d, remove_link, NULL, e);
}

void blob_tidy_link(struct store *st, const struct name *n, const struct digest *d)
{
	cleanup_str struct str dir = STR_INIT;

	path_layer(&dir, n, d);
	os_unlinkat(st->dirfd, dir.buf, AT_REMOVEDIR);
}

int blob_collect_link(struct store *st, const struct name *n, const struct digest *d, struct str *trashed,
		      struct err *e)
{
	return quota_unlink(st, n, QUOTA_LAYER, d, fence_discard, trashed, e);
}

void blob_purge(struct store *st, const char *trashed)
{
	store_purge_dir(st, trashed, STORE_DATA);
}

void blob_purge_link(struct store *st, const char *trashed)
{
	store_purge_dir(st, trashed, STORE_LINK);
}

int blob_flush_links(struct store *st, const struct name *n, struct err *e)
{
	return walk_flush(st, n, path_layers, e);
}
