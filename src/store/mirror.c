/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror: the empty files of mirrored repositories.
 *
 * Owns berth/mirror/. Knows nothing of upstreams, and of what they answer.
 */
#include "store/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/store_path.h"

static int age_of(struct store *st, const char *path, int64_t *when, struct err *e)
{
	uint64_t size;

	*when = 0;
	if (os_age(st->dirfd, path, when, &size) == 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path);
}

/* 1 made, 0 it was there, -1 with errno */
static int make(struct store *st, const char *path)
{
	cleanup_str struct str dir = STR_INIT;
	cleanup_fd int fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0666);

	if (fd < 0 && errno == ENOENT) {
		str_add(&dir, path, (size_t)(strrchr(path, '/') - path));
		if (os_mkdirs(st->dirfd, dir.buf) < 0)
			return -1;
		fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0666);
	}
	return fd >= 0 ? 1 : errno == EEXIST ? 0 : -1;
}

int mirror_checked(struct store *st, const struct name *n, const struct tag *t, int64_t *when, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror_checked(&path, n, t);
	return age_of(st, path.buf, when, e);
}

int mirror_check(struct store *st, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror_checked(&path, n, t);
	if (utimensat(st->dirfd, path.buf, NULL, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return make(st, path.buf) < 0 ? err_sys(e, "cannot make %s", path.buf) : 0;
}

typedef void path_of(struct str *p, const struct name *n, const struct digest *d);

static int is_there(struct store *st, path_of *of, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int64_t when;

	of(&path, n, d);
	return age_of(st, path.buf, &when, e);
}

int mirror_named(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	return is_there(st, path_mirror_named, n, d, e);
}

int mirror_child(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	return is_there(st, path_mirror_child, n, d, e);
}

/* The directory of the digests of one algorithm, and those above it up to the root: each of them may be new. */
static int flush(struct store *st, const struct name *n, const char *path)
{
	const unsigned below = 3, above = 1;    /* ALG, _named or _children, and the repository's own; berth/ */

	return st->ordered ? 0 : store_flush_above(st, path, below + path_repository_above(n) + above);
}

static int name_all(struct store *st, path_of *of, const struct name *n, const struct digest *d, size_t count, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	bool dirty[DIGEST_ALG_COUNT] = { false };

	for (size_t i = 0; i < count; i++) {
		int made;

		of(&path, n, &d[i]);
		made = make(st, path.buf);
		if (made < 0)
			return err_sys(e, "cannot make %s", path.buf);
		dirty[d[i].alg] |= made == 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (!dirty[d[i].alg])
			continue;
		dirty[d[i].alg] = false;
		of(&path, n, &d[i]);
		if (flush(st, n, path.buf) < 0)
			return err_sys(e, "cannot flush the directory of %s", path.buf);
	}
	return 0;
}

int mirror_name(struct store *st, const struct name *n, const struct digest *d, size_t count, struct err *e)
{
	return name_all(st, path_mirror_named, n, d, count, e);
}

int mirror_name_children(struct store *st, const struct name *n, const struct digest *d, size_t count, struct err *e)
{
	return name_all(st, path_mirror_child, n, d, count, e);
}

int mirror_remove(struct store *st, const struct name *n, struct err *e)
{
	static const char *const all[] = { STORE_CHECKED, STORE_NAMED, STORE_CHILDREN, STORE_PINNED };
	cleanup_str struct str path = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		path_mirror(&path, n, all[i]);
		if (os_remove_tree(st->dirfd, path.buf) < 0)
			return err_sys(e, "cannot remove %s", path.buf);
	}
	return 0;
}
