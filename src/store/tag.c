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

#include "os/file.h"
#include "os/tree.h"
#include "store/durable.h"
#include "store/link.h"
#include "store/store_path.h"

int tag_read(struct store *st, const struct name *n, const struct tag *t, struct digest *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_tag_current(&path, n, t);
	return link_read(st, path.buf, out, e);
}

/* A new directory, and the link file in it. */
static int write_link(struct store *st, const char *dir, const struct digest *d, bool flush)
{
	cleanup_str struct str path = STR_INIT;

	if (os_mkdirs(st->dirfd, dir) < 0)
		return -1;
	path_in(&path, dir, STORE_LINK);
	return os_write_file(st->dirfd, path.buf, d->text, strlen(d->text), flush && st->flush);
}

/*
 * A tag's complete directory below berth/tmp/: current/link, flushed, and index/<alg>/<hex>/link. The index lists all digests
 * that the tag ever pointed to. registry:2 maintains it, but no response of either registry depends on it. So it is not
 * flushed, and fsck repairs it.
 */
static int prepare(struct store *st, const struct digest *d, struct str *tmp, struct err *e)
{
	cleanup_str struct str index = STR_INIT, current = STR_INIT;

	store_tmp(st, tmp);
	path_tag_index(&index, tmp->buf, d);
	path_in(&current, tmp->buf, STORE_CURRENT);
	if (write_link(st, current.buf, d, true) == 0 && write_link(st, index.buf, d, false) == 0 &&
	    store_flush_dir(st, current.buf) == 0 && store_flush_dir(st, tmp->buf) == 0)
		return 0;
	err_sys(e, "cannot make %s", tmp->buf);
	os_remove_tree(st->dirfd, tmp->buf);
	return -1;
}

/* 1 if the tag's directory is new and now in place, 0 if there was one already, -1 with *e. */
static int set_new(struct store *st, const char *dir, const struct digest *d, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	int rc;

	if (prepare(st, d, &tmp, e) < 0)
		return -1;
	if (renameat(st->dirfd, tmp.buf, st->dirfd, dir) == 0)
		return 1;
	rc = errno == EEXIST || errno == ENOTEMPTY ? 0 : err_sys(e, "cannot publish %s", dir);
	os_remove_tree(st->dirfd, tmp.buf);
	return rc;
}

/* Writes dir/link by one rename, and creates dir if it is missing; the caller flushes dir. */
static int replace(struct store *st, const char *dir, const struct digest *d, bool flush, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT, path = STR_INIT;

	store_tmp(st, &tmp);
	path_in(&path, dir, STORE_LINK);
	if (os_write_file(st->dirfd, tmp.buf, d->text, strlen(d->text), flush && st->flush) == 0 &&
	    os_mkdirs(st->dirfd, dir) == 0 && renameat(st->dirfd, tmp.buf, st->dirfd, path.buf) == 0)
		return 0;
	err_sys(e, "cannot write %s", path.buf);
	unlinkat(st->dirfd, tmp.buf, 0);
	return -1;
}

static int write_index(struct store *st, const char *tag_dir, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct digest old;
	int found;

	path_tag_index(&dir, tag_dir, d);
	found = link_read_in(st, dir.buf, &old, e);
	if (found < 0)
		return -1;
	return found && digest_eq(&old, d) ? 0 : replace(st, dir.buf, d, false, e);
}

/* The tag's directory exists, perhaps without a link: writes the index link, then replaces the tag's own link. */
static int set_old(struct store *st, const char *tag_dir, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_in(&dir, tag_dir, STORE_CURRENT);
	if (write_index(st, tag_dir, d, e) < 0 || replace(st, dir.buf, d, true, e) < 0)
		return -1;
	return durable_dir(st, dir.buf) < 0 ? err_sys(e, "cannot flush %s", dir.buf) : 0;
}

int tag_set(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct digest old;
	int rc = tag_read(st, n, t, &old, e);

	if (rc < 0)
		return -1;
	path_tag(&dir, n, t);
	rc = rc == 0 ? set_new(st, dir.buf, d, e) : 0;
	if (rc <= 0)
		return rc < 0 ? -1 : set_old(st, dir.buf, d, e);
	path_tags(&dir, n);
	return durable_dir(st, dir.buf) < 0 ? err_sys(e, "cannot flush %s", dir.buf) : 0;
}

int tag_remove(struct store *st, const struct name *n, const struct tag *t, struct str *trashed, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_tag(&dir, n, t);
	return store_trash(st, dir.buf, trashed, e);
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
