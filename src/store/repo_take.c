/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repo_take: removing and moving repositories.
 *
 * Owns no state. Invariant: each step is one rename, flushed before the next one, and after each step every tag still points
 * to a manifest.
 */
#include "store/repo_take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/store_path.h"

/* Whether this is a directory, not a symbolic link, that holds only the repository's own parts: 1, 0, -1 with *e. */
static int is_alone(struct store *st, const struct name *n, struct err *e)
{
	static const char *const own[] = { STORE_LAYERS, STORE_MANIFESTS, STORE_UPLOADS };
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	size_t i, j;

	path_repository(&path, n);
	fd = os_open(st->dirfd, path.buf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", path.buf);
	if (os_dir_read(fd, DIR_ALL, &all) < 0)
		return err_sys(e, "cannot list %s", path.buf);
	for (i = 0; i < all.count; i++) {
		for (j = 0; j < ARRAY_LEN(own) && strcmp(all.v[i], own[j]) != 0; j++)
			;
		if (j == ARRAY_LEN(own))
			return 0;
	}
	return 1;
}

int repo_is_hollow(struct store *st, const struct name *n, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	int exists = repo_exists(st, n, e);

	if (exists)
		return exists < 0 ? -1 : 0;
	path_repository(&path, n);
	if (os_dir_list(st->dirfd, path.buf, DIR_ALL, &all) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", path.buf);
	if (all.count == 0)
		return 1;
	if (all.count > 1 || strcmp(all.v[0], STORE_UPLOADS) != 0)
		return 0;
	names_release(&all);
	path_uploads(&path, n);
	if (os_dir_list(st->dirfd, path.buf, DIR_ALL, &all) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", path.buf);
	return all.count == 0;
}

void repo_tidy(struct store *st, const struct name *n)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str path = STR_INIT;

	if (repo_exists(st, n, &ignored) != 0)
		return;
	path_uploads(&path, n);
	if (os_unlinkat(st->dirfd, path.buf, AT_REMOVEDIR) == 0 || errno == ENOENT)
		repo_prune(st, n);
}

void repo_tidy_now(struct store *st, const struct name *n)
{
	cleanup_err struct err ignored = ERR_INIT;

	if (repo_exists(st, n, &ignored) != 0 || !lock_collector_if_free(st))
		return;
	repo_tidy(st, n);
	unlock_collector(st);
}

void repo_prune(struct store *st, const struct name *n)
{
	cleanup_str struct str path = STR_INIT;
	char *slash;

	/* Up to repositories/, which is kept. */
	path_repository(&path, n);
	while (strlen(path.buf) > strlen(STORE_REPOSITORIES_DIR)) {
		if (os_unlinkat(st->dirfd, path.buf, AT_REMOVEDIR) < 0 && errno != ENOENT)
			return;
		slash = strrchr(path.buf, '/');
		*slash = '\0';
	}
}

int repo_flush_above(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	char *slash;

	path_repository(&path, n);
	while (strlen(path.buf) > strlen(STORE_REPOSITORIES_DIR)) {
		slash = strrchr(path.buf, '/');
		*slash = '\0';
		if (store_flush_dir(st, path.buf) < 0 && !os_gone(errno))
			return err_sys(e, "cannot flush %s", path.buf);
	}
	return 0;
}

/* Moves one path to the trash, and flushes its directory even if the path was gone: whoever removed it may have died before. */
static int take(struct store *st, const char *path, struct names *trashed, struct err *e)
{
	cleanup_str struct str taken = STR_INIT;
	int found = store_trash(st, path, &taken, e);

	if (found < 0)
		return -1;
	if (found)
		names_add(trashed, taken.buf, taken.len);
	if (store_flush_above(st, path, 1) < 0 && !os_gone(errno))
		return err_sys(e, "cannot flush the directory of %s", path);
	return 0;
}

static int take_parts(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	/* The layer links last: while anything is left the repository exists, and a second call completes the removal. */
	static const char *const parts[] = {
		STORE_MANIFESTS "/" STORE_TAGS, STORE_UPLOADS, STORE_MANIFESTS, STORE_LAYERS
	};
	cleanup_str struct str path = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(parts); i++) {
		path_repository(&path, n);
		str_addf(&path, "/%s", parts[i]);
		if (take(st, path.buf, trashed, e) < 0)
			return -1;
	}
	return 0;
}

int repo_take(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int alone = is_alone(st, n, e);

	if (alone < 0)
		return -1;
	path_repository(&path, n);
	if ((alone ? take(st, path.buf, trashed, e) : take_parts(st, n, trashed, e)) < 0)
		return -1;
	repo_prune(st, n);
	return 0;
}

/* Whether a rename cannot replace what is at `to`: 1, 0, -1 with *e. */
static int is_occupied(struct store *st, const struct name *to, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;

	path_repository(&path, to);
	if (os_dir_list(st->dirfd, path.buf, DIR_ALL, &all) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot list %s", path.buf);
	return all.count > 0;
}

int repo_movable(struct store *st, const struct name *from, const struct name *to, struct err *e)
{
	bool below = to->len > from->len && to->s[from->len] == '/' && memcmp(to->s, from->s, from->len) == 0;
	int alone = below ? 0 : is_alone(st, from, e), occupied;

	if (alone <= 0)
		return alone;
	occupied = is_occupied(st, to, e);
	return occupied < 0 ? -1 : !occupied;
}

int repo_move_whole(struct store *st, const struct name *from, const struct name *to, struct err *e)
{
	cleanup_str struct str old = STR_INIT, new = STR_INIT, above = STR_INIT;

	path_repository(&old, from);
	path_repository(&new, to);
	str_add(&above, new.buf, (size_t)(strrchr(new.buf, '/') - new.buf));
	if (os_mkdirs(st->dirfd, above.buf) < 0)
		return err_sys(e, "cannot make %s", above.buf);
	if (store_flush_above(st, new.buf, path_repository_above(to)) < 0)
		return err_sys(e, "cannot flush the directories of %s", new.buf);
	if (os_renameat(st->dirfd, old.buf, st->dirfd, new.buf) < 0) {
		err_sys(e, "cannot move %s to %s", old.buf, new.buf);
		repo_prune(st, to);
		return -1;
	}
	if (store_flush_above(st, new.buf, 1) < 0 || store_flush_above(st, old.buf, 1) < 0)
		return err_sys(e, "cannot flush the directories of %s and %s", old.buf, new.buf);
	repo_prune(st, from);
	return 0;
}
