/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo: making, finding and walking repositories.
 *
 * Owns the directories repositories/<name>/ themselves, not what lies in _layers/, _manifests/ and _uploads/.
 */
#include "store/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/catalog.h"
#include "store/store_path.h"

static int has_dir(struct store *st, const struct name *n, const char *sub, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;

	path_repository(&path, n);
	str_addf(&path, "/%s", sub);
	fd = os_open(st->dirfd, path.buf, O_PATH | O_DIRECTORY, 0);
	if (fd >= 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look for %s", path.buf);
}

int repo_exists(struct store *st, const struct name *n, struct err *e)
{
	int found = has_dir(st, n, "_layers", e);

	return found ? found : has_dir(st, n, "_manifests", e);
}

static int make_dirs(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_layers(&path, n, DIGEST_SHA256);
	if (os_mkdirs(st->dirfd, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	path_tags(&path, n);
	if (os_mkdirs(st->dirfd, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	return 0;
}

int repo_ensure(struct store *st, const struct name *n, struct err *e)
{
	cleanup_fd int lock = -1;
	int has = has_dir(st, n, "_layers/sha256", e);

	if (has == 1)
		has = has_dir(st, n, "_manifests/tags", e);
	if (has)
		return has < 0 ? -1 : 0;
	/* The catalog knows a repository before it exists; who compares the two meanwhile sees both or neither. */
	if (catalog_lock(st, &lock, e) < 0 || catalog_add(st, n, e) < 0)
		return -1;
	return make_dirs(st, n, e);
}

struct walk {
	struct store *st;
	const char *after;
	int (*visit)(void *arg, const struct name *n, struct err *e);
	void *arg;
	bool all;               /* directories that are no repository, too */
};

/* The directories from repositories/ down to the one that is being read: a link that leads back to one of them ends there. */
struct level {
	dev_t dev;
	ino_t ino;
	const struct level *above;
};

static int walk_below(struct walk *w, const char *prefix, const struct level *above, struct err *e);

/* The repository "prefix + key" itself, or, where key ends with a slash, all that lies below it. */
static int walk_key(struct walk *w, const char *prefix, const char *key, const struct level *here, struct err *e)
{
	cleanup_str struct str full = STR_INIT;
	struct name n;
	int exists;

	str_addf(&full, "%s%s", prefix, key);
	if (full.buf[full.len - 1] == '/') {
		/* Everything below begins with this text: it lies before `after` as a whole unless `after` does too. */
		if (strcmp(full.buf, w->after) < 0 && strncmp(full.buf, w->after, full.len) != 0)
			return 0;
		return walk_below(w, full.buf, here, e);
	}
	if (strcmp(full.buf, w->after) <= 0 || name_parse(&n, full.buf, full.len) < 0)
		return 0;
	exists = w->all ? 1 : repo_exists(w->st, &n, e);
	return exists > 0 ? w->visit(w->arg, &n, e) : exists;
}

/* The directories below repositories/<prefix> that may be a part of a name: 1, 0 where there is nothing to read, -1. */
static int read_level(struct walk *w, const char *prefix, struct level *here, struct names *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	const struct level *l;
	struct stat sb;

	str_addf(&path, STORE_REPOSITORIES_DIR "/%s", prefix);
	fd = os_open(w->st->dirfd, path.buf, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0 || fstat(fd, &sb) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", path.buf);
	here->dev = sb.st_dev;
	here->ino = sb.st_ino;
	for (l = here->above; l; l = l->above)
		if (l->dev == here->dev && l->ino == here->ino)
			return 0;
	if (os_dir_read(fd, DIR_DIRS, out) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", path.buf);
	return 1;
}

/*
 * Byte order of whole names is not the order of the directories: "a-b" and "a.b" come between "a" and "a/b", since '-'
 * and '.' are less than '/'. So each directory stands in the list twice: as a name, and with a slash for what is below.
 */
static int walk_below(struct walk *w, const char *prefix, const struct level *above, struct err *e)
{
	cleanup_str struct str key = STR_INIT;
	cleanup_names struct names dirs = NAMES_INIT, keys = NAMES_INIT;
	struct level here = { .above = above };
	size_t i;
	int rc;

	if (strlen(prefix) > NAME_MAX_LEN)
		return 0;
	rc = read_level(w, prefix, &here, &dirs, e);
	if (rc <= 0)
		return rc;
	for (i = 0; i < dirs.count; i++) {
		if (!name_component_ok(dirs.v[i], strlen(dirs.v[i])))
			continue;
		names_add(&keys, dirs.v[i], strlen(dirs.v[i]));
		str_reset(&key);
		str_addf(&key, "%s/", dirs.v[i]);
		names_add(&keys, key.buf, key.len);
	}
	names_sort(&keys);
	for (i = 0; i < keys.count; i++) {
		rc = walk_key(w, prefix, keys.v[i], &here, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int repo_walk(struct store *st, const char *after, int (*visit)(void *arg, const struct name *n, struct err *e),
	      void *arg, struct err *e)
{
	struct walk w = { .st = st, .after = after ? after : "", .visit = visit, .arg = arg };

	return walk_below(&w, "", NULL, e);
}

int repo_walk_dirs(struct store *st, int (*visit)(void *arg, const struct name *n, struct err *e), void *arg,
		   struct err *e)
{
	struct walk w = { .st = st, .after = "", .visit = visit, .arg = arg, .all = true };

	return walk_below(&w, "", NULL, e);
}
