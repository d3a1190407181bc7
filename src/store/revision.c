/* SPDX-License-Identifier: Apache-2.0 */
/*
 * revision: manifests of a repository.
 *
 * Owns repositories/<name>/_manifests/revisions/.
 */
#include "store/revision.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "store/blob.h"
#include "store/catalog.h"
#include "store/durable.h"
#include "store/fence.h"
#include "store/link.h"
#include "store/quota.h"
#include "store/store_path.h"

int revision_read(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	return link_read_in(st, dir.buf, target, e);
}

int revision_find(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	return link_find(st, dir.buf, d, target, e);
}

int revision_linked(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, path = STR_INIT;

	path_revision(&dir, n, d);
	path_in(&path, dir.buf, STORE_LINK);
	if (os_faccessat(st->dirfd, path.buf, F_OK, 0) == 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look for %s", path.buf);
}

int revision_pin(struct store *st, const struct name *n, const struct digest *d, struct digest *target, uint64_t *size,
		 struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int found;

	*size = 0;
	path_revision(&dir, n, d);
	found = link_pin(st, dir.buf, target, e);
	return found == 1 ? blob_pin(st, n, target, size, e) : found;
}

void revision_touch(struct store *st, const struct name *n, const struct digest *d)
{
	cleanup_str struct str dir = STR_INIT, path = STR_INIT;

	path_revision(&dir, n, d);
	path_in(&path, dir.buf, STORE_LINK);
	os_utimensat(st->dirfd, path.buf, NULL, AT_SYMLINK_NOFOLLOW);
}

int revision_size(struct store *st, const struct name *n, const struct digest *d, uint64_t *size, struct err *e)
{
	struct digest content;
	int64_t when;
	int found = revision_find(st, n, d, &content, e);

	*size = 0;
	return found == 1 ? blob_age(st, &content, &when, size, e) : found;
}

int revision_set(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_quota struct quota_change counted = QUOTA_CHANGE_INIT;
	cleanup_str struct str dir = STR_INIT;

	path_revision(&dir, n, d);
	if (catalog_ensure(st, n, e) < 0 || quota_begin_link(&counted, st, n, QUOTA_REVISION, d, d, QUOTA_ASK, e) < 0 ||
	    link_ensure(st, dir.buf, d, e) < 0)
		return -1;
	/* As for a blob: see blob.c. */
	if (store_flushes_index(st) && revision_flush(st, n, d->alg, e) < 0)
		return -1;
	quota_done(&counted);
	quota_end(&counted);
	return store_flushes_index(st) ? 0 : revision_flush(st, n, d->alg, e);
}

int revision_flush(struct store *st, const struct name *n, enum digest_alg alg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_revisions(&dir, n, alg);
	return durable_dir(st, dir.buf) < 0 ? err_sys(e, "cannot flush %s", dir.buf) : 0;
}

int revision_remove(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, trashed = STR_INIT;
	int found;

	path_revision(&dir, n, d);
	found = quota_unlink(st, n, QUOTA_REVISION, d, fence_trash, &trashed, e);
	if (found <= 0)
		return found;
	if (store_flush_above(st, dir.buf, 1) < 0)
		return err_sys(e, "cannot flush the directory of %s", dir.buf);
	store_purge(st, trashed.buf);
	return 1;
}

int revision_collect(struct store *st, const struct name *n, const struct digest *d, struct str *trashed, struct err *e)
{
	return quota_unlink(st, n, QUOTA_REVISION, d, fence_discard, trashed, e);
}

int revision_flush_gone(struct store *st, const struct name *n, struct err *e)
{
	return walk_flush(st, n, path_revisions, e);
}

void revision_purge(struct store *st, const char *trashed)
{
	store_purge_dir(st, trashed, STORE_LINK);
}

int revision_walk(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e)
{
	return walk_all(st, n, path_revisions, visit, arg, e);
}

int revision_age(struct store *st, const struct name *n, const struct digest *d, int64_t *when, struct digest *target,
		 struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	uint64_t size;
	int64_t of_content;
	int found;

	path_revision(&dir, n, d);
	found = link_age(st, dir.buf, d, when, target, e);
	if (found != 1)
		return found;
	found = blob_age(st, target, &of_content, &size, e);
	if (found == 1 && of_content > *when)
		*when = of_content;
	return found < 0 ? -1 : 1;
}
