/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_repository: the tree below repositories/, and uploads.
 *
 * Walks the directories itself: repo_walk() skips invalid names, which a check has to report.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/time.h"
#include "care/fsck_work.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/catalog.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/repo_take.h"
#include "store/store_path.h"

static bool is_dir(struct fsck_work *w, const char *path)
{
	struct stat sb;

	return os_fstatat(w->r->st->dirfd, path, &sb, 0) == 0 && S_ISDIR(sb.st_mode);
}

struct half {
	const struct name *n;
	struct str path;
};

static int repair_half(struct fsck_work *w, const void *arg, struct err *e)
{
	const struct half *h = arg;

	if (catalog_ensure(w->r->st, h->n, e) < 0)
		return -1;
	return store_flush_dir(w->r->st, h->path.buf) < 0 ? err_sys(e, "cannot flush %s", h->path.buf) : 0;
}

static int which(struct fsck_work *w, const struct half *h)
{
	cleanup_str struct str sub = STR_INIT;
	int has;

	path_layers_dir(&sub, h->n);
	has = is_dir(w, sub.buf) ? 1 : 0;
	path_manifests(&sub, h->n);
	return has | (is_dir(w, sub.buf) ? 2 : 0);
}

/* The first push to a repository holds the catalog's lock until both directories exist. */
static int check_half(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct half *h = arg;
	struct fsck_fault f = { .kind = FSCK_HALF, .where = h->path.buf, .repair = repair_half, .arg = h };
	cleanup_fd int lock = -1;
	int has;

	if (sure && catalog_lock(w->r->st, &lock, e) < 0)
		return -1;
	has = which(w, h);
	os_cleanup_fd(&lock);
	if (has == 0 || has == 3)
		return 0;
	if (sure)
		fsck_report(w, &f, "has no %s", has == 1 ? STORE_MANIFESTS : STORE_LAYERS);
	return 1;
}

/* The entries of _manifests/. */
static void check_manifests_dir(struct fsck_work *w, const struct name *n)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	size_t i;

	path_manifests(&dir, n);
	fsck_list(w, dir.buf, &names);
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], STORE_REVISIONS) != 0 && strcmp(names.v[i], STORE_TAGS) != 0)
			fsck_stray(w, dir.buf, names.v[i]);
}

/* Remove the directories that an upload left for a name without a repository. They are no fault, so this is not reported. */
static int tidy(struct fsck_work *w, const struct name *n, struct err *e)
{
	int hollow = repo_is_hollow(w->r->st, n, e);

	if (hollow < 0)
		return fsck_unreadable(w, e);
	if (hollow && lock_collector_alone(w->r->st, e) < 0)
		return -1;
	if (hollow) {
		repo_tidy(w->r->st, n);
		unlock_collector(w->r->st);
	}
	return 0;
}

static int check_repository(struct fsck_work *w, const struct name *n, struct err *e)
{
	struct half h = { .n = n, .path = STR_INIT };
	int exists = repo_exists(w->r->st, n, e), rc = 0;

	if (exists < 0)
		return fsck_unreadable(w, e);
	if (exists) {
		path_repository(&h.path, n);
		w->out->repositories++;
		names_add(&w->repositories, n->s, n->len);
		check_manifests_dir(w, n);
		if (fsck_twice(w, NULL, check_half, &h, e) < 0 || fsck_layers(w, n, e) < 0 ||
		    fsck_revisions(w, n, e) < 0 || fsck_tags(w, n, e) < 0 || fsck_index(w, n, e) < 0)
			rc = -1;
		str_release(&h.path);
	}
	if (rc < 0 || fsck_uploads(w, n, e) < 0)
		return -1;
	return exists || !w->o->repair ? 0 : tidy(w, n, e);
}

/* A name that is no component of a repository's name. A directory whose name begins with '_' is part of the repository. */
static void check_odd(struct fsck_work *w, const char *dir, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	struct fsck_fault f = { .kind = FSCK_STOPPER };

	str_addf(&path, "%s/%s", dir, name);
	f.where = path.buf;
	if (name[0] == '_' && fsck_type(w, path.buf) == S_IFREG)
		fsck_report(w, &f, "is a file; the collector of registry:2 stops there, and then deletes content in use");
	else if (name[0] != '_' || !is_dir(w, path.buf))
		fsck_stray(w, dir, name);
}

static bool is_link(struct fsck_work *w, const char *dir, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	str_addf(&path, "%s/%s", dir, name);
	return os_fstatat(w->r->st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(sb.st_mode);
}

static int walk(struct fsck_work *w, const char *prefix, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT, full = STR_INIT;
	struct name n;
	size_t i;

	if (*prefix)
		str_addf(&dir, STORE_REPOSITORIES_DIR "/%s", prefix);
	else
		str_puts(&dir, STORE_REPOSITORIES_DIR);
	if (!fsck_list(w, dir.buf, &names))
		return 0;
	if (*prefix && name_parse(&n, prefix, strlen(prefix)) == 0 && check_repository(w, &n, e) < 0)
		return -1;
	for (i = 0; i < names.count; i++) {
		const char *name = names.v[i];

		str_reset(&full);
		str_addf(&full, "%s%s%s", prefix, *prefix ? "/" : "", name);
		if (!name_component_ok(name, strlen(name)) || full.len > NAME_MAX_LEN)
			check_odd(w, dir.buf, name);
		else if (is_link(w, dir.buf, name))
			fsck_stray(w, dir.buf, name);   /* nothing is served from there */
		else if (walk(w, full.buf, e) < 0)
			return -1;
	}
	return 0;
}

int fsck_repositories(struct fsck_work *w, struct err *e)
{
	return walk(w, "", e);
}

struct begun {
	const struct name *n;
	const struct uuid *uuid;
	struct str dir;
};

/* With startedat the upload can be continued; if no client does so, a collection removes it. */
static int repair_upload(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT, path = STR_INIT;
	const struct begun *b = arg;
	char text[TIME_RFC3339_MAX];
	struct stat sb;

	if (os_fstatat(w->r->st->dirfd, b->dir.buf, &sb, 0) < 0)
		return err_sys(e, "cannot look at %s", b->dir.buf);
	time_rfc3339(text, &sb.st_mtim, 0);
	store_tmp(w->r->st, &tmp);
	path_upload_file(&path, b->n, b->uuid, STORE_STARTED);
	if (os_write_file(w->r->st->dirfd, tmp.buf, text, strlen(text), w->r->st->flush) < 0)
		return err_sys(e, "cannot write %s", tmp.buf);
	if (os_renameat(w->r->st->dirfd, tmp.buf, w->r->st->dirfd, path.buf) == 0)
		return store_flush_dir(w->r->st, b->dir.buf) < 0 ? err_sys(e, "cannot flush %s", b->dir.buf) : 0;
	err_sys(e, "cannot make %s", path.buf);
	os_remove_tree(w->r->st->dirfd, tmp.buf);
	return -1;
}

static int check_upload(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct begun *b = arg;
	struct fsck_fault f = { .kind = FSCK_UPLOAD, .where = b->dir.buf, .repair = repair_upload, .arg = b };
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	(void)e;
	path_upload_file(&path, b->n, b->uuid, STORE_STARTED);
	/* The directory appears and disappears as a whole: if it exists after the file did not, the file is missing. */
	if (os_fstatat(w->r->st->dirfd, path.buf, &sb, 0) == 0 || errno != ENOENT || !is_dir(w, b->dir.buf))
		return 0;
	if (sure)
		fsck_report(w, &f, "has no startedat, so that no client can continue it");
	return 1;
}

static int each_upload(struct fsck_work *w, const struct name *n, const char *above, const char *name, struct err *e)
{
	struct begun b = { .n = n, .dir = STR_INIT };
	cleanup_names struct names files = NAMES_INIT;
	struct uuid uuid;
	size_t i;
	int rc = 0;

	if (uuid_parse(&uuid, name, strlen(name)) < 0) {
		fsck_stray(w, above, name);
		return 0;
	}
	b.uuid = &uuid;
	str_addf(&b.dir, "%s/%s", above, name);
	if (fsck_list(w, b.dir.buf, &files)) {
		fsck_files(w, b.dir.buf, (const char *const[]){ STORE_DATA, STORE_STARTED, NULL });
		for (i = 0; i < files.count; i++)
			/* A power cut may take back that startedat's directory moved, but not that it became the link: no startedat then. */
			if (strcmp(files.v[i], STORE_DATA) != 0 && strcmp(files.v[i], STORE_STARTED) != 0 &&
			    strcmp(files.v[i], STORE_HASHSTATES) != 0 && strcmp(files.v[i], STORE_LINK) != 0)
				fsck_stray(w, b.dir.buf, files.v[i]);
		rc = fsck_twice(w, NULL, check_upload, &b, e);
	}
	str_release(&b.dir);
	return rc;
}

int fsck_uploads(struct fsck_work *w, const struct name *n, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	size_t i;

	path_uploads(&dir, n);
	fsck_list(w, dir.buf, &names);
	for (i = 0; i < names.count; i++)
		if (each_upload(w, n, dir.buf, names.v[i], e) < 0)
			return -1;
	return 0;
}
