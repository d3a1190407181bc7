/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo: finding and walking repositories.
 *
 * Owns the directories repositories/<name>/ themselves, not what lies in _layers/, _manifests/ and _uploads/.
 */
#include "store/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "os/dir.h"
#include "os/again.h"
#include "os/file.h"
#include "store/store_path.h"

static int has_dir(struct store *st, const char *path, struct err *e)
{
	cleanup_fd int fd = os_open(st->dirfd, path, O_PATH | O_DIRECTORY, 0);

	if (fd >= 0)
		return 1;
	return os_gone(errno) ? 0 : err_sys(e, "cannot look for %s", path);
}

int repo_exists(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int found;

	path_layers_dir(&path, n);
	found = has_dir(st, path.buf, e);
	if (found)
		return found;
	path_manifests(&path, n);
	return has_dir(st, path.buf, e);
}

int repo_complete(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int found;

	path_layers(&path, n, DIGEST_SHA256);
	found = has_dir(st, path.buf, e);
	if (found <= 0)
		return found;
	path_tags(&path, n);
	return has_dir(st, path.buf, e);
}

struct walk {
	struct store *st;
	const char *after;
	int (*visit)(void *arg, const struct name *n, struct err *e);
	void *arg;
	bool all;               /* also directories that are not a repository */
};

/* The directories from repositories/ down to the one being read, to detect a symbolic link that leads back to one of them. */
struct level {
	dev_t dev;
	ino_t ino;
	const struct level *above;
};

static int walk_below(struct walk *w, const char *prefix, const struct level *above, struct err *e);

/* The repository "prefix + key", or, if key ends with a slash, all repositories below it. */
static int walk_key(struct walk *w, const char *prefix, const char *key, const struct level *here, struct err *e)
{
	cleanup_str struct str full = STR_INIT;
	struct name n;
	int exists;

	str_addf(&full, "%s%s", prefix, key);
	if (full.buf[full.len - 1] == '/') {
		/* Every name below begins with this text: all of them lie before `after`, unless `after` begins with it too. */
		if (strcmp(full.buf, w->after) < 0 && strncmp(full.buf, w->after, full.len) != 0)
			return 0;
		return walk_below(w, full.buf, here, e);
	}
	if (strcmp(full.buf, w->after) <= 0 || name_parse(&n, full.buf, full.len) < 0)
		return 0;
	exists = w->all ? 1 : repo_exists(w->st, &n, e);
	return exists > 0 ? w->visit(w->arg, &n, e) : exists;
}

/* 1, 0 for a directory above that a link leads back to, -1 with errno */
static int read_once(int dirfd, const char *path, struct level *here, struct names *out)
{
	cleanup_fd int fd = -1;
	struct stat sb;

	fd = os_open_look(dirfd, path, O_RDONLY | O_DIRECTORY, &sb);
	if (fd < 0)
		return -1;
	here->dev = sb.st_dev;
	here->ino = sb.st_ino;
	for (const struct level *l = here->above; l; l = l->above)
		if (l->dev == here->dev && l->ino == here->ino)
			return 0;
	return os_dir_read(fd, DIR_DIRS, out) < 0 ? -1 : 1;
}

/* The directories in repositories/<prefix>: 1, 0 if there is nothing to read, -1 with *e. */
static int read_level(struct walk *w, const char *prefix, struct level *here, struct names *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	unsigned tries = 0;
	int rc;

	str_addf(&path, STORE_REPOSITORIES_DIR "/%s", prefix);
	do
		rc = read_once(w->st->dirfd, path.buf, here, out);
	while (rc < 0 && os_again(errno, &tries));
	if (rc < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", path.buf);
	return rc;
}

/*
 * Byte order of whole names is not the order of the directories: "a-b" and "a.b" come between "a" and "a/b", since '-'
 * and '.' are less than '/'. So the list has each directory twice: as a name, and with a slash for its subtree.
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
