/* SPDX-License-Identifier: Apache-2.0 */
/*
 * catalog: the sorted set of all repositories.
 *
 * Owns berth/index/_catalog/ and berth/locks/catalog.
 */
#include "store/catalog.h"

#include <errno.h>
#include <string.h>

#include "os/dir.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/epoch.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/sorted.h"
#include "store/store_path.h"
#include "store/touched.h"

int catalog_lock(struct store *st, int *fd, struct err *e)
{
	return lock_file(st, STORE_CATALOG_LOCK_FILE, LOCK_CATALOG, fd, e);
}

/*
 * Nobody believes a catalog of an older epoch, and a power cut may have torn it: it is made anew from the directories before anybody reads it. So
 * what is wrong with it is no error of those who change it.
 */
static int unless_older(struct store *st, int rc, struct err *e)
{
	cleanup_err struct err ignored = ERR_INIT;

	if (rc == 0 || e->sys != EUCLEAN || catalog_current(st, &ignored) != 0)
		return rc;
	err_release(e);
	return 0;
}

int catalog_add(struct store *st, const struct name *n, struct err *e)
{
	return unless_older(st, sorted_add(st, STORE_CATALOG_DIR, n->s, e), e);
}

static int make_dirs(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_layers(&path, n, DIGEST_SHA256);
	if (os_mkdirs(st->dirfd, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	path_tags(&path, n);
	return os_mkdirs(st->dirfd, path.buf) < 0 ? err_sys(e, "cannot make %s", path.buf) : 0;
}

static int compare(struct store *st, struct err *e);

/*
 * The caller holds the lock. A power cut may have torn a catalog that nobody has read since: it counts in no epoch, and is compared. One of the
 * present epoch stays corrupt until somebody rebuilds it.
 */
static int add_locked(struct store *st, const struct name *n, struct err *e)
{
	cleanup_err struct err ignored = ERR_INIT;

	if (catalog_add(st, n, e) == 0)
		return 0;
	if (e->sys != EUCLEAN || catalog_current(st, &ignored) != 0)
		return -1;
	err_release(e);
	return compare(st, e) < 0 ? -1 : catalog_add(st, n, e);
}

int catalog_ensure(struct store *st, const struct name *n, struct err *e)
{
	cleanup_fd int lock = -1;
	struct touched t;
	int complete = repo_complete(st, n, e), rc;

	if (complete)
		return complete < 0 ? -1 : 0;
	/* The entry comes first. The lock keeps a comparison with the directories from seeing one without the other. */
	if (catalog_lock(st, &lock, e) < 0 || add_locked(st, n, e) < 0 || touched_begin(st, n, &t, e) < 0)
		return -1;
	rc = make_dirs(st, n, e);
	touched_end(&t, n);
	return rc;
}

int catalog_remove(struct store *st, const struct name *n, struct err *e)
{
	cleanup_fd int lock = -1;
	struct touched t;
	int exists;

	if (catalog_lock(st, &lock, e) < 0)
		return -1;
	if (touched_begin(st, n, &t, e) < 0)
		return -1;
	touched_end(&t, n);
	exists = repo_exists(st, n, e);
	return exists ? (exists < 0 ? -1 : 0) : unless_older(st, sorted_remove(st, STORE_CATALOG_DIR, n->s, e), e);
}

int catalog_current(struct store *st, struct err *e)
{
	return epoch_stamped(st, STORE_CATALOG_EPOCH_FILE, e);
}

static int take(void *arg, const struct name *n, struct err *e)
{
	(void)e;
	names_add(arg, n->s, n->len);
	return 0;
}

/* The caller holds the catalog's lock: no repository is created meanwhile. */
static int compare(struct store *st, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;

	if (repo_walk(st, NULL, take, &all, e) < 0 || sorted_build(st, STORE_CATALOG_DIR, &all, e) < 0)
		return -1;
	return epoch_stamp(st, STORE_CATALOG_EPOCH_FILE, e);
}

int catalog_rebuild(struct store *st, struct err *e)
{
	cleanup_fd int lock = -1;

	if (catalog_lock(st, &lock, e) < 0)
		return -1;
	if (store_unblock(st, STORE_CATALOG_DIR) < 0 || os_mkdirs(st->dirfd, STORE_CATALOG_DIR) < 0)
		return err_sys(e, "cannot make %s", STORE_CATALOG_DIR);
	return compare(st, e);
}

/* The caller holds the lock; another process may have compared before it. */
static int compare_once(struct store *st, struct err *e)
{
	int current = catalog_current(st, e);

	return current < 0 ? -1 : current ? 0 : compare(st, e);
}

int catalog_make_current(struct store *st, struct err *e)
{
	cleanup_fd int lock = -1;
	int current = catalog_current(st, e);

	if (current)
		return current < 0 ? -1 : 0;
	return catalog_lock(st, &lock, e) < 0 ? -1 : compare_once(st, e);
}

/* For a reader: 1 it is current, 0 another process has the lock, -1 with *e. */
static int make_current_now(struct store *st, struct err *e)
{
	cleanup_fd int lock = -1;
	int rc = catalog_current(st, e);

	if (rc == 0 && (rc = lock_file_now(st, STORE_CATALOG_LOCK_FILE, LOCK_CATALOG, &lock, e)) == 1)
		rc = compare_once(st, e) < 0 ? -1 : 1;
	return rc;
}

struct visitor {
	int (*visit)(void *arg, const struct name *n, struct err *e);
	void *arg;
};

static int visit_name(void *arg, const char *s, struct err *e)
{
	struct visitor *v = arg;
	struct name n;

	return name_parse(&n, s, strlen(s)) < 0 ? 0 : v->visit(v->arg, &n, e);
}

int catalog_walk(struct store *st, const char *after, int (*visit)(void *arg, const struct name *n, struct err *e),
		 void *arg, struct err *e)
{
	struct visitor v = { .visit = visit, .arg = arg };
	int current = st->readonly ? 0 : make_current_now(st, e);

	if (current <= 0)
		return current < 0 ? -1 : repo_walk(st, after, visit, arg, e);
	return sorted_walk(st, STORE_CATALOG_DIR, after ? after : "", visit_name, &v, e);
}
