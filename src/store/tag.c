/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tag: tags of a repository.
 *
 * Owns repositories/<name>/_manifests/tags/, where nothing but tags may lie.
 */
#include "store/tag.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/clock.h"
#include "store/durable.h"
#include "store/fence.h"
#include "store/link.h"
#include "store/pushed.h"
#include "store/store_path.h"
#include "store/taglist.h"

int tag_read(struct store *st, const struct name *n, const struct tag *t, struct digest *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_tag_current(&path, n, t);
	return link_read(st, path.buf, out, e);
}

int tag_is_there(struct store *st, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct digest d;
	uint64_t size;
	int64_t when;
	size_t i;

	path_tag_current(&path, n, t);
	if (os_age(st->dirfd, path.buf, &when, &size) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
	for (i = 0; i < DIGEST_ALG_COUNT; i++)
		if (size == strlen("sha256:") + digest_hex_len((enum digest_alg)i))
			return 1;
	return link_read(st, path.buf, &d, e);
}

/* A new directory, and the link file in it. */
static int write_link(struct store *st, const char *tag_dir, const char *dir, const struct digest *d, bool flush)
{
	cleanup_str struct str path = STR_INIT;

	if (fence_mkdirs(st, tag_dir, dir) < 0)
		return -1;
	path_in(&path, dir, STORE_LINK);
	return store_write(st, path.buf, d->text, strlen(d->text), flush);
}

/* The time of the push, by the link that was just written: it stands beside the link, or will. */
static int begin_time(struct store *st, const char *dir, uint64_t *usec)
{
	cleanup_str struct str link = STR_INIT;

	path_in(&link, dir, STORE_LINK);
	return clock_of_new(st, link.buf, usec) < 0 ? -1 : pushed_begin(st, dir, *usec);
}

static int set_time(struct store *st, const char *link, const char *dir, uint64_t *usec)
{
	return clock_of_new(st, link, usec) < 0 ? -1 : pushed_set(st, dir, usec);
}

/*
 * A tag's complete directory below berth/tmp/: current/link, flushed, the time of the push, and index/<alg>/<hex>/link. The index lists all digests
 * that the tag ever pointed to. registry:2 maintains it, but no response of either registry depends on it. So its name is
 * not flushed, and fsck repairs it; with fsync = "image" its bytes are, so that it is not empty.
 */
static int prepare(struct store *st, const struct name *n, const struct digest *d, struct str *tmp, uint64_t *pushed, struct err *e)
{
	cleanup_str struct str index = STR_INIT, current = STR_INIT;

	fence_tmp(st, n, tmp);
	path_tag_index(&index, tmp->buf, d);
	path_in(&current, tmp->buf, STORE_CURRENT);
	if (write_link(st, tmp->buf, current.buf, d, true) == 0 && begin_time(st, current.buf, pushed) == 0 &&
	    write_link(st, tmp->buf, index.buf, d, st->image) == 0 && store_flush_new(st, current.buf) == 0 && store_flush_new(st, tmp->buf) == 0)
		return 0;
	fence_errno(st);
	err_sys(e, "cannot make %s", tmp->buf);
	os_remove_tree(st->dirfd, tmp->buf);
	return -1;
}

/* 1 if the tag's directory is new and now in place, 0 if there was one already, -1 with *e. */
static int set_new(struct store *st, const struct name *n, const char *dir, const struct digest *d, uint64_t *pushed, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	int rc;

	if (prepare(st, n, d, &tmp, pushed, e) < 0)
		return -1;
	if (os_renameat(st->dirfd, tmp.buf, st->dirfd, dir) == 0)
		return 1;
	fence_errno(st);
	rc = errno == EEXIST || errno == ENOTEMPTY ? 0 : err_sys(e, "cannot publish %s", dir);
	os_remove_tree(st->dirfd, tmp.buf);
	return rc;
}

static int put(struct store *st, const struct str *tmp, const char *dir, const char *link, uint64_t *pushed)
{
	if (pushed && set_time(st, tmp->buf, dir, pushed) < 0)
		return -1;
	return os_renameat(st->dirfd, tmp->buf, st->dirfd, link);
}

/* Whether it is the directory that lacks, not the lock: who has lost that must not make directories where others have removed them. */
static bool is_missing(struct store *st)
{
	fence_errno(st);
	return errno == ENOENT;
}

/* Writes dir/link by one rename, and creates dir if it is missing; the caller flushes dir. `pushed`: NULL unless this is a push of the tag. */
static int replace(struct store *st, const struct name *n, const char *dir, const struct digest *d, bool flush, uint64_t *pushed, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT, path = STR_INIT;

	fence_tmp(st, n, &tmp);
	path_in(&path, dir, STORE_LINK);
	if (store_write(st, tmp.buf, d->text, strlen(d->text), flush) == 0 &&
	    ((!st->local && put(st, &tmp, dir, path.buf, pushed) == 0) ||
	     ((st->local || is_missing(st)) && os_mkdirs(st->dirfd, dir) == 0 && put(st, &tmp, dir, path.buf, pushed) == 0)))
		return 0;
	fence_errno(st);
	err_sys(e, "cannot write %s", path.buf);
	os_unlinkat(st->dirfd, tmp.buf, 0);
	return -1;
}

static int write_index(struct store *st, const struct name *n, const char *tag_dir, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct digest old;
	int found;

	path_tag_index(&dir, tag_dir, d);
	found = link_read_in(st, dir.buf, &old, e);
	if (found < 0)
		return -1;
	return found && digest_eq(&old, d) ? 0 : replace(st, n, dir.buf, d, st->image, NULL, e);
}

static int flush_new(struct store *st, const char *dir, struct err *e)
{
	if (durable_dir(st, dir) == 0)
		return 0;
	fence_errno(st);                /* the tag may have been removed since */
	return err_sys(e, "cannot flush %s", dir);
}

/* The tag's directory exists, perhaps without a link: writes the index link, then replaces the tag's own link. */
static int set_old(struct store *st, const struct name *n, const char *tag_dir, const struct digest *d, uint64_t *pushed, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_in(&dir, tag_dir, STORE_CURRENT);
	if (write_index(st, n, tag_dir, d, e) < 0 || replace(st, n, dir.buf, d, true, pushed, e) < 0)
		return -1;
	return flush_new(st, dir.buf, e);
}

int tag_set_known(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool exists, uint64_t *pushed,
		  struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int rc;

	*pushed = 0;
	if (!exists && taglist_drop(st, n, e) < 0)
		return -1;
	path_tag(&dir, n, t);
	rc = exists ? 0 : set_new(st, n, dir.buf, d, pushed, e);
	if (rc <= 0)
		return rc < 0 ? -1 : set_old(st, n, dir.buf, d, pushed, e);
	path_tags(&dir, n);
	return flush_new(st, dir.buf, e);
}

int tag_set(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	struct digest old;
	uint64_t pushed;
	int found = tag_read(st, n, t, &old, e);

	return found < 0 ? -1 : tag_set_known(st, n, t, d, found, &pushed, e);
}

int tag_pushed(struct store *st, const struct name *n, const struct tag *t, bool keep, uint64_t *usec, struct err *e)
{
	cleanup_str struct str tag = STR_INIT, dir = STR_INIT;

	path_tag(&tag, n, t);
	path_in(&dir, tag.buf, STORE_CURRENT);
	return pushed_find(st, dir.buf, keep, usec, e);
}

int tag_remove(struct store *st, const struct name *n, const struct tag *t, struct str *trashed, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	if (taglist_drop(st, n, e) < 0)
		return -1;
	path_tag(&dir, n, t);
	return fence_trash(st, dir.buf, trashed, e);
}

int tag_flush(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_tags(&dir, n);
	if (store_flush_dir(st, dir.buf) < 0 && errno != ENOENT)        /* 3.x creates it with the first tag */
		return err_sys(e, "cannot flush %s", dir.buf);
	return 0;
}

int tag_names(struct store *st, const struct name *n, struct names *out, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	size_t i, kept = 0;
	struct tag t;

	path_tags(&dir, n);
	if (os_dir_list(st->dirfd, dir.buf, DIR_DIRS, out) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", dir.buf);
	for (i = 0; i < out->count; i++) {
		char *name = out->v[i];

		out->v[i] = NULL;
		if (tag_parse(&t, name, strlen(name)) == 0)
			out->v[kept++] = name;
		else
			free(name);
	}
	out->count = kept;
	return 0;
}

int tag_walk(struct store *st, const struct name *n,
	     int (*visit)(void *arg, const struct tag *t, const struct digest *d, struct err *e), void *arg,
	     struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i;
	int rc = tag_names(st, n, &all, e);

	for (i = 0; rc == 0 && i < all.count; i++) {
		struct digest d;
		struct tag t;

		if (tag_parse(&t, all.v[i], strlen(all.v[i])) < 0)
			continue;
		rc = tag_read(st, n, &t, &d, e);
		if (rc == 1)
			rc = visit(arg, &t, &d, e);
	}
	return rc;
}
