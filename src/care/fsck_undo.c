/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_undo: berth/undo/, the marks of what was deleted or moved.
 *
 * A mark may say too much: it is no fault if what it remembers is gone. What is no mark, and marks of a repository that does not
 * exist, are of no use to anybody.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "care/fsck_work.h"
#include "store/repo.h"
#include "store/store_path.h"
#include "store/undo.h"

static void useless(struct fsck_work *w, const char *dir, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	struct fsck_fault f = { .kind = FSCK_LEFTOVER, .repair = fsck_repair_remove };

	path_in(&path, dir, name);
	f.where = f.arg = path.buf;
	if (fsck_type(w, path.buf) && !fsck_ignored(name))
		fsck_report(w, &f, "is no mark of something that was deleted or moved");
}

static void check_marks(struct fsck_work *w, const char *dir, const struct names *names)
{
	cleanup_str struct str path = STR_INIT;
	struct undo_mark m;
	size_t i;

	for (i = 0; i < names->count; i++) {
		path_in(&path, dir, names->v[i]);
		if (undo_parse(&m, names->v[i], strlen(names->v[i])) < 0 || fsck_type(w, path.buf) != S_IFREG)
			useless(w, dir, names->v[i]);
	}
}

struct owner {
	const struct name *n;
};

/* While a repository is renamed its marks have both names; the second look holds its lock. */
static int check_owner(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	const struct name *n = ((const struct owner *)arg)->n;
	cleanup_str struct str dir = STR_INIT;
	struct fsck_fault f = { .kind = FSCK_LEFTOVER, .repair = fsck_repair_remove };
	int exists = repo_exists(w->r->st, n, e);

	if (exists)
		return exists < 0 ? -1 : 0;
	path_undo_marks(&dir, n);
	f.where = f.arg = dir.buf;
	if (!fsck_type(w, dir.buf))
		return 0;
	if (sure)
		fsck_report(w, &f, "remembers what was deleted in a repository that does not exist");
	return 1;
}

/* berth/undo/NAME/_marks */
static int check_directory(struct fsck_work *w, const struct name *n, const char *above, struct err *e)
{
	cleanup_names struct names marks = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;

	path_undo_marks(&dir, n);
	if (fsck_type(w, dir.buf) != S_IFDIR)
		useless(w, above, STORE_MARKS);
	else if (fsck_list(w, dir.buf, &marks))
		check_marks(w, dir.buf, &marks);
	return fsck_twice(w, n, check_owner, &(struct owner){ n }, e);
}

static int walk(struct fsck_work *w, const char *prefix, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT, path = STR_INIT, full = STR_INIT;
	struct name n;
	size_t i;
	int rc = 0;

	str_addf(&dir, STORE_UNDO_DIR "%s%s", *prefix ? "/" : "", prefix);
	fsck_list(w, dir.buf, &names);
	for (i = 0; rc == 0 && i < names.count; i++) {
		const char *name = names.v[i];

		str_reset(&full);
		str_addf(&full, "%s%s%s", prefix, *prefix ? "/" : "", name);
		path_in(&path, dir.buf, name);
		if (strcmp(name, STORE_MARKS) == 0 && name_parse(&n, prefix, strlen(prefix)) == 0)
			rc = check_directory(w, &n, dir.buf, e);
		else if (!name_component_ok(name, strlen(name)) || full.len > NAME_MAX_LEN || fsck_type(w, path.buf) != S_IFDIR)
			useless(w, dir.buf, name);
		else
			rc = walk(w, full.buf, e);
	}
	return rc;
}

int fsck_undo(struct fsck_work *w, struct err *e)
{
	return walk(w, "", e);
}
