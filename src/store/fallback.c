/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fallback: the links that nginx follows by itself.
 *
 * Owns berth/index/_fallback/. Knows nothing of who may do what: whoever opens it has looked.
 */
#include "store/fallback.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "os/file.h"
#include "store/store_path.h"

#define CLOSED "fallback-"      /* below berth/trash/ */

/* What stands for a type in a link's name; nginx's map turns it into the type. */
static const char *const kinds[] = {
	[MEDIATYPE_OCI_MANIFEST] = "oci",
	[MEDIATYPE_OCI_INDEX] = "index",
	[MEDIATYPE_DOCKER_MANIFEST] = "docker",
	[MEDIATYPE_DOCKER_LIST] = "list",
};
#define KIND_FIRST MEDIATYPE_OCI_MANIFEST
#define KIND_LAST MEDIATYPE_DOCKER_LIST

static int open_root(const struct store_options *o, struct err *e)
{
	int fd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? err_sys(e, "cannot open the store %s", o->root) : fd;
}

int fallback_open(const struct store_options *o, struct err *e)
{
	cleanup_fd int dirfd = open_root(o, e);

	if (dirfd < 0)
		return -1;
	if (mkdirat(dirfd, STORE_FALLBACK_DIR, 0777) < 0 && errno != EEXIST)
		return err_sys(e, "cannot make %s/%s", o->root, STORE_FALLBACK_DIR);
	return 0;
}

int fallback_close(const struct store_options *o, struct err *e)
{
	cleanup_str struct str aside = STR_INIT;
	cleanup_fd int dirfd = open_root(o, e);
	uint64_t random;

	if (dirfd < 0)
		return -1;
	os_random(&random, sizeof(random));
	str_addf(&aside, STORE_TRASH_DIR "/" CLOSED "%016" PRIx64, random);
	/* First a look: on a read-only file system the rename would fail also where there is nothing. */
	if (faccessat(dirfd, STORE_FALLBACK_DIR, F_OK, 0) == 0 && renameat(dirfd, STORE_FALLBACK_DIR, dirfd, aside.buf) < 0 && !os_gone(errno))
		return err_sys(e, "cannot close %s/%s, from which nginx could serve; remove it", o->root, STORE_FALLBACK_DIR);
	/* Also where it is gone already: who took it may be dead. */
	if (o->flush && os_fsync_above(dirfd, STORE_FALLBACK_DIR, 1) < 0 && !os_gone(errno) && errno != EROFS)
		return err_sys(e, "cannot flush the directory of %s/%s", o->root, STORE_FALLBACK_DIR);
	return 0;
}

void fallback_purge(struct store *st)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	size_t i;

	os_dir_list(st->dirfd, STORE_TRASH_DIR, DIR_DIRS, &all);
	for (i = 0; i < all.count; i++) {
		if (strncmp(all.v[i], CLOSED, strlen(CLOSED)) != 0)
			continue;
		str_reset(&path);
		str_addf(&path, STORE_TRASH_DIR "/%s", all.v[i]);
		os_remove_tree(st->dirfd, path.buf);
	}
}

/* From <name>/_/ up to the root: berth, index, _fallback, <name>, "_". nginx may have the store at another place. */
static void target_of(struct str *target, const struct name *n, const struct digest *d)
{
	cleanup_str struct str blob = STR_INIT;
	unsigned up;

	str_reset(target);
	for (up = 0; up < 4 + path_repository_above(n); up++)
		str_puts(target, "../");
	path_blob_dir(&blob, d);
	str_puts(target, blob.buf);
}

void fallback_add(struct store *st, const struct name *n, const char *ref, enum mediatype type, const struct digest *d)
{
	cleanup_str struct str dir = STR_INIT, link = STR_INIT, target = STR_INIT;
	cleanup_fd int top = -1;

	/* By a descriptor: what is closed meanwhile is not made again by its path. */
	top = os_open(st->dirfd, STORE_FALLBACK_DIR, O_PATH | O_DIRECTORY, 0);
	if (top < 0 || type < KIND_FIRST || type > KIND_LAST)
		return;
	target_of(&target, n, d);
	path_fallback_below(&dir, n);
	str_addf(&link, "%s/%s:%s", dir.buf, ref, kinds[type]);
	if (symlinkat(target.buf, top, link.buf) == 0 || errno == EEXIST)
		return;
	if (errno == ENOENT && os_mkdirs(top, dir.buf) == 0 && (symlinkat(target.buf, top, link.buf) == 0 || errno == EEXIST))
		return;
	log_say(LOG_WARN, "fallback", "cannot make the link of %s in %s: %s", ref, n->s, strerror(errno));
}

enum mediatype fallback_type(struct store *st, const struct name *n, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT;
	int type;

	for (type = KIND_FIRST; type <= KIND_LAST; type++) {
		path_fallback(&path, n);
		str_addf(&path, "/%s:%s", d->text, kinds[type]);
		if (faccessat(st->dirfd, path.buf, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return (enum mediatype)type;
	}
	return MEDIATYPE_OTHER;
}

bool fallback_agrees(struct store *st, const struct name *n, const struct tag *t, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT, target = STR_INIT;
	char text[1024];
	ssize_t len;
	int type;

	target_of(&target, n, d);
	for (type = KIND_FIRST; type <= KIND_LAST; type++) {
		path_fallback(&path, n);
		str_addf(&path, "/%s:%s", t->s, kinds[type]);
		len = readlinkat(st->dirfd, path.buf, text, sizeof(text));
		if (len >= 0 && ((size_t)len != target.len || memcmp(text, target.buf, target.len) != 0))
			return false;
	}
	return true;
}

int fallback_forget_tag(struct store *st, const struct name *n, const struct tag *t, bool was_set, struct err *e)
{
	cleanup_str struct str path = STR_INIT, link = STR_INIT;
	cleanup_fd int fd = -1;
	bool found = false;
	int type;

	path_fallback(&path, n);
	fd = os_open(st->dirfd, path.buf, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", path.buf);
	for (type = KIND_FIRST; type <= KIND_LAST; type++) {
		str_reset(&link);
		str_addf(&link, "%s:%s", t->s, kinds[type]);
		if (unlinkat(fd, link.buf, 0) == 0)
			found = true;
		else if (!os_gone(errno))
			return err_sys(e, "cannot remove %s/%s", path.buf, link.buf);
	}
	if ((found || was_set) && store_flush_fd(st, fd) < 0)
		return err_sys(e, "cannot flush %s", path.buf);
	return 0;
}

int fallback_forget(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_str struct str path = STR_INIT, taken = STR_INIT;
	int found;

	path_fallback(&path, n);
	found = store_trash(st, path.buf, &taken, e);
	if (found < 0)
		return -1;
	if (found)
		names_add(trashed, taken.buf, taken.len);
	if (store_flush_above(st, path.buf, 1) < 0 && !os_gone(errno))
		return err_sys(e, "cannot flush the directory of %s", path.buf);
	return 0;
}
