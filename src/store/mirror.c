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
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/store_path.h"
#include "store/walk.h"

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
	if (os_utimensat(st->dirfd, path.buf, NULL, AT_SYMLINK_NOFOLLOW) == 0)
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

void mirror_uncheck(struct store *st, const struct name *n, const struct tag *t)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror_checked(&path, n, t);
	os_unlinkat(st->dirfd, path.buf, 0);
}

/* Of one directory and algorithm. */
static int unname(struct store *st, const struct name *n, const char *dir, enum digest_alg alg, const struct digestset *named, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT, file = STR_INIT;
	cleanup_names struct names all = NAMES_INIT;
	struct digest d;

	path_mirror(&path, n, dir);
	str_addf(&path, "/%s", digest_alg_name(alg));
	if (os_dir_list(st->dirfd, path.buf, DIR_ALL, &all) < 0 && !os_gone(errno))
		return err_sys(e, "cannot list %s", path.buf);
	for (size_t i = 0; i < all.count; i++) {
		str_reset(&text);
		str_addf(&text, "%s:%s", digest_alg_name(alg), all.v[i]);
		if (digest_parse(&d, text.buf, text.len) < 0 || digestset_has(named, &d))
			continue;
		path_in(&file, path.buf, all.v[i]);
		os_unlinkat(st->dirfd, file.buf, 0);
	}
	return 0;
}

/* Not flushed: what a power cut brings back is forgotten the next time. */
int mirror_unname(struct store *st, const struct name *n, const struct digestset *named, struct err *e)
{
	for (int alg = 0; alg < DIGEST_ALG_COUNT; alg++)
		if (unname(st, n, STORE_NAMED, (enum digest_alg)alg, named, e) < 0 ||
		    unname(st, n, STORE_CHILDREN, (enum digest_alg)alg, named, e) < 0)
			return -1;
	return 0;
}

int mirror_pin(struct store *st, const struct name *n, const struct tag *t, struct err *e)
{
	const unsigned below = 2, above = 1;    /* _pinned and the repository's own; berth/ */
	cleanup_str struct str path = STR_INIT;
	int made;

	path_mirror_pinned(&path, n, t);
	made = make(st, path.buf);
	if (made < 0)
		return err_sys(e, "cannot make %s", path.buf);
	if (store_flush_above(st, path.buf, below + path_repository_above(n) + above) < 0)
		return err_sys(e, "cannot flush the directory of %s", path.buf);
	return made;
}

int mirror_unpin(struct store *st, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror_pinned(&path, n, t);
	if (os_unlinkat(st->dirfd, path.buf, 0) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot remove %s", path.buf);
	return store_flush_above(st, path.buf, 1) < 0 ? err_sys(e, "cannot flush the directory of %s", path.buf) : 1;
}

int mirror_pinned(struct store *st, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int64_t when;

	path_mirror_pinned(&path, n, t);
	return age_of(st, path.buf, &when, e);
}

int mirror_pins(struct store *st, const struct name *n, struct names *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror(&path, n, STORE_PINNED);
	return os_dir_list(st->dirfd, path.buf, DIR_ALL, out) < 0 && !os_gone(errno) ? err_sys(e, "cannot list %s", path.buf) : 0;
}

bool mirror_any(struct store *st)
{
	struct stat sb;

	if (!st->mirrors.any)
		st->mirrors.any =
			os_fstatat(st->dirfd, STORE_MIRROR_DIR, &sb, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT ? MIRRORS_NONE : MIRRORS_ANY;
	return st->mirrors.any == MIRRORS_ANY;
}

int mirror_copied(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int64_t when;

	path_mirror(&path, n, STORE_COPIED);
	return age_of(st, path.buf, &when, e);
}

int mirror_copy(struct store *st, const struct name *n, struct err *e)
{
	const unsigned below = 1, above = 1;    /* the repository's own; berth/ */
	cleanup_str struct str path = STR_INIT;

	path_mirror(&path, n, STORE_COPIED);
	if (make(st, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	if (!st->ordered && store_flush_above(st, path.buf, below + path_repository_above(n) + above) < 0)
		return err_sys(e, "cannot flush the directory of %s", path.buf);
	return 0;
}

int mirror_own(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_mirror(&path, n, STORE_COPIED);
	if (os_unlinkat(st->dirfd, path.buf, 0) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot remove %s", path.buf);
	return store_flush_above(st, path.buf, 1) < 0 ? err_sys(e, "cannot flush the directory of %s", path.buf) : 1;
}

struct each {
	struct store *st;
	int (*visit)(void *arg, const struct name *n, struct err *e);
	void *arg;
};

static int visit_copied(void *arg, const struct name *n, const char *dir, struct err *e)
{
	struct each *each = arg;
	int rc = mirror_copied(each->st, n, e);

	(void)dir;
	return rc == 1 ? each->visit(each->arg, n, e) : rc;
}

int mirror_each(struct store *st, int (*visit)(void *arg, const struct name *n, struct err *e), void *arg, struct err *e)
{
	struct each each = { st, visit, arg };

	return walk_names(st, STORE_MIRROR_DIR, visit_copied, &each, e);
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
	static const char *const all[] = { STORE_CHECKED, STORE_NAMED, STORE_CHILDREN, STORE_PINNED, STORE_COPIED };
	cleanup_str struct str path = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		path_mirror(&path, n, all[i]);
		if (os_remove_tree(st->dirfd, path.buf) < 0)
			return err_sys(e, "cannot remove %s", path.buf);
	}
	return 0;
}
