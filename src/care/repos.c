/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repos: removing and renaming repositories.
 *
 * Owns no state. Invariant: a name is in the catalog from before its repository appears until after it is removed. An old index is
 * dropped before the repository appears; its index is removed after it. Knows no users.
 */
#include "care/repos.h"

#include <stdbool.h>
#include <string.h>

#include "os/dir.h"
#include "os/file.h"
#include "store/catalog.h"
#include "store/collector.h"
#include "store/durable.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/repo_copy.h"
#include "store/repo_take.h"
#include "store/store_path.h"

/*
 * Remove the catalog entry and the index of a removed repository, whose lock is held. The index is the last: if it exists, an
 * earlier call was interrupted. 1, 0 if there was no index, -1.
 */
static int forget(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	return catalog_remove(st, n, e) < 0 ? -1 : index_remove(st, n, trashed, e);
}

/* Remove the directories: 1, 0 if the repository did not exist (its removal may not be durable), -1. */
static int remove_dirs(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_collector struct store *held = NULL;
	int exists;

	if (lock_collector_alone(st, e) < 0)
		return -1;
	held = st;
	exists = repo_exists(st, n, e);
	if (exists == 1)
		return repo_take(st, n, trashed, e) < 0 ? -1 : 1;
	if (exists == 0)
		repo_tidy(st, n);
	return exists;
}

int repos_remove(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_fd int lock = -1;
	int removed, had = 0;

	if (lock_repository(r->st, n, &lock, e) < 0)
		return -1;
	removed = remove_dirs(r->st, n, &trashed, e);
	if (removed >= 0)
		had = forget(r->st, n, &trashed, e);
	if (removed == 0 && had == 1 && repo_flush_above(r->st, n, e) < 0)
		had = -1;
	os_cleanup_fd(&lock);           /* emptying the trash needs no lock */
	if (removed < 0 || had < 0)
		return -1;
	store_purge_all(r->st, &trashed);
	return removed || had;
}

struct move {
	struct store *st;
	int run_fd;                     /* the lock on collections */
	const struct name *from, *to;
	struct repo_copy copy;
	struct names trashed;
};

enum step { STEP_DONE, STEP_COPY, STEP_FAILED };

/*
 * `to` exists already, or `from` does not. That is an error, unless an earlier call was killed and left a `from` without manifests
 * whose links are all in `to`, or only the index of `from`.
 */
static int finish(struct move *m, bool exists, bool taken, struct err *e)
{
	int rc = 0;

	if (exists)
		rc = repo_is_copied(m->st, m->from, m->to, e);
	else if (taken)
		rc = index_exists(m->st, m->from, e);
	if (rc == 1 && exists && repo_take(m->st, m->from, &m->trashed, e) < 0)
		rc = -1;
	if (rc < 0)
		return -1;
	if (rc == 0 && exists)
		return err_set(e, ERR_NAME_INVALID, "repository %s exists already", m->to->s);
	if (rc == 0)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", m->from->s);
	return repo_flush_above(m->st, m->from, e) < 0 || repo_flush_above(m->st, m->to, e) < 0 ? -1 : 0;
}

/* Whether there is anything to move, and anywhere to. */
static enum step move_locked(struct move *m, struct err *e)
{
	cleanup_fd int catalog = -1;
	int exists = repo_exists(m->st, m->from, e), taken = repo_has_manifests(m->st, m->to, e), movable;

	if (exists < 0 || taken < 0)
		return STEP_FAILED;
	if (taken || !exists)
		return finish(m, exists, taken, e) < 0 ? STEP_FAILED : STEP_DONE;
	movable = repo_movable(m->st, m->from, m->to, e);
	if (movable == 0 && !m->copy.dir.len)
		return STEP_COPY;
	/* An index of `to` is that of an earlier repository: it has to be compared before its first use. */
	if (movable < 0 || index_drop(m->st, m->to, e) < 0 || catalog_lock(m->st, &catalog, e) < 0 ||
	    catalog_add(m->st, m->to, e) < 0)
		return STEP_FAILED;
	if (movable)
		return repo_move_whole(m->st, m->from, m->to, e) < 0 ? STEP_FAILED : STEP_DONE;
	if (repo_copy_place(&m->copy, e) < 0 || repo_take(m->st, m->from, &m->trashed, e) < 0)
		return STEP_FAILED;
	return STEP_DONE;
}

static enum step try_to_move(struct move *m, struct err *e)
{
	cleanup_fd int one = -1, other = -1;
	int fds[2];
	enum step step;

	if (lock_repositories(m->st, m->from, m->to, fds, e) < 0)
		return STEP_FAILED;
	one = fds[0];
	other = fds[1];
	if (lock_collector_alone(m->st, e) < 0)
		return STEP_FAILED;
	if (durable_moving(m->run_fd) < 0) {
		err_sys(e, "cannot write %s", STORE_RUN_LOCK_FILE);
		step = STEP_FAILED;
	} else {
		step = move_locked(m, e);
	}
	unlock_collector(m->st);
	if (step == STEP_DONE && forget(m->st, m->from, &m->trashed, e) < 0)
		return STEP_FAILED;
	return step;
}

/* If other repositories are nested in `from` its links are copied first, without a lock. */
static int move(struct move *m, struct err *e)
{
	enum step step = try_to_move(m, e);

	if (step == STEP_COPY && repo_copy_begin(&m->copy, e) == 0)
		step = try_to_move(m, e);
	return step == STEP_DONE ? 0 : -1;
}

int repos_move(struct registry *r, const struct name *from, const struct name *to, struct err *e)
{
	struct move m = { .st = r->st, .from = from, .to = to, .trashed = NAMES_INIT };
	cleanup_fd int run = -1;
	int alone, rc;

	if (strcmp(from->s, to->s) == 0)
		return err_set(e, ERR_NAME_INVALID, "%s already has that name", from->s);
	alone = collector_exclude(r->st, &run, e);
	if (alone == 0)
		return err_set(e, ERR_UNAVAILABLE, "a collection is running; move %s when it has ended", from->s);
	/* Comparing the catalog holds its lock for long: do it before acquiring the locks that writers wait for. */
	if (alone < 0 || catalog_make_current(r->st, e) < 0)
		return -1;
	m.run_fd = run;
	m.copy = (struct repo_copy){ .st = r->st, .from = from, .to = to, .dir = STR_INIT };
	rc = move(&m, e);
	if (rc == 0)
		store_purge_all(r->st, &m.trashed);
	repo_copy_end(&m.copy);
	names_release(&m.trashed);
	return rc;
}
