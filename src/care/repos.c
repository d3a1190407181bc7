/* SPDX-License-Identifier: Apache-2.0 */
/*
 * repos: removing and renaming repositories.
 *
 * Owns no state. Invariant: a name is in the catalog from before its repository appears until after it is removed. An old index is
 * dropped before the repository appears; its index is dropped before it goes, so that whoever pushes there after a kill finds nothing that is
 * believed of what was there, and removed after it. Knows no users.
 */
#include "care/repos.h"

#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "os/dir.h"
#include "os/file.h"
#include "registry/reg_copied.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "store/catalog.h"
#include "store/collector.h"
#include "store/durable.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/mirror.h"
#include "store/moves.h"
#include "store/pulled.h"
#include "store/quota.h"
#include "store/quota_move.h"
#include "store/repo.h"
#include "store/repo_copy.h"
#include "store/repo_take.h"
#include "store/store_path.h"
#include "store/touched.h"
#include "store/undo.h"

/*
 * Remove the catalog entry, the marks, what a mirror knows and the index of a removed repository, whose lock is held. The index is the
 * last: if it exists, an earlier call was interrupted. 1, 0 if there was no index, -1.
 */
static int forget(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	if (catalog_remove(st, n, e) < 0 || undo_remove(st, n, trashed, e) < 0 || mirror_remove(st, n, e) < 0)
		return -1;
	return index_remove(st, n, trashed, e);
}

/* Remove the directories, and count that their links are gone. */
static int take(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_quota_move struct quota_move counted = QUOTA_MOVE_INIT;
	cleanup_moves int moving = -1;

	if (quota_move_begin(&counted, st, n, NULL, false, e) < 0 || index_drop(st, n, e) < 0 || moves_begin(st, &moving, e) < 0 ||
	    repo_take(st, n, trashed, e) < 0)
		return -1;
	quota_move_done(&counted);
	return 0;
}

/* Remove the directories: 1, 0 if the repository did not exist (its removal may not be durable), -1. told: in the journal */
static int remove_dirs(struct registry *r, const struct name *n, bool told, struct names *trashed, struct err *e)
{
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
	struct store *st = r->st;
	cleanup_collector struct store *held = NULL;
	int exists;

	if (lock_collector_alone(st, e) < 0)
		return -1;
	held = st;
	quota_hurry(st);
	exists = repo_exists(st, n, e);
	if (exists == 1) {
		if (reg_rules_writable(r, n, e) < 0 || reg_rules_repository(r, n, e) < 0)
			return -1;
		if (told)
			journal_add(st, &j, &(struct event){ .action = EVENT_REMOVE, .repository = n, .by = r->by });
		/* Nobody links anything there now, so no bit has to be cleared (store/alone.h). */
		if (journal_begin(st, &j, e) < 0 || take(st, n, trashed, e) < 0 || mirror_own(st, n, e) < 0)
			return -1;
		journal_done(st, &j);
	}
	if (exists == 0)
		repo_tidy(st, n);
	return exists;
}

/* 1, 0 there was nothing, -1. */
static int remove_locked(struct registry *r, const struct name *n, bool told, struct names *trashed, struct err *e)
{
	cleanup_fd int lock = -1;
	int removed, had = 0;

	if (lock_repository(r->st, n, &lock, e) < 0)
		return -1;
	removed = remove_dirs(r, n, told, trashed, e);
	if (removed >= 0)
		had = forget(r->st, n, trashed, e);
	if (removed == 0 && had == 1 && repo_flush_above(r->st, n, e) < 0)
		had = -1;
	return removed < 0 || had < 0 ? -1 : removed || had;
}

static int remove_repository(struct registry *r, const struct name *n, bool told, struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	struct touched t;
	int removed;

	if (touched_begin(r->st, n, &t, e) < 0)
		return -1;
	do      /* without a lock while somebody counts */
		removed = remove_locked(r, n, told, &trashed, e);
	while (removed < 0 && quota_try_again(r->st, e) == 0);
	touched_end(&t, n);
	if (removed >= 0)               /* emptying the trash needs no lock */
		store_purge_all(r->st, &trashed);
	return removed;
}

int repos_remove(struct registry *r, const struct name *n, struct err *e)
{
	return remove_repository(r, n, true, e);
}

int repos_forget(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_names struct names pins = NAMES_INIT;
	int removed = mirror_pins(r->st, n, &pins, e) < 0 ? -1 : remove_repository(r, n, false, e);

	return removed < 0 ? -1 : removed || pins.count;
}

struct move {
	struct registry *r;
	struct store *st;
	int run_fd;                     /* the lock on collections */
	const struct name *from, *to;
	const struct event_by *by;
	struct repo_copy copy;
	struct names trashed;
	bool named;                     /* `to` may be in the catalog, and have what is remembered of `from` */
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
	if (rc == 1 && exists && take(m->st, m->from, &m->trashed, e) < 0)
		rc = -1;
	if (rc < 0)
		return -1;
	if (rc == 0 && exists)
		return err_set(e, ERR_NAME_INVALID, "repository %s exists already", m->to->s);
	if (rc == 0)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", m->from->s);
	return repo_flush_above(m->st, m->from, e) < 0 || repo_flush_above(m->st, m->to, e) < 0 ? -1 : 0;
}

/* Give the directories, or copies of the links, their new name. */
static int rename_dirs(struct move *m, bool whole, struct err *e)
{
	cleanup_quota_move struct quota_move counted = QUOTA_MOVE_INIT;

	if (quota_move_begin(&counted, m->st, m->from, m->to, whole, e) < 0)
		return -1;
	if (!whole)
		return repo_copy_place(&m->copy, e) < 0 ? -1 : repo_take(m->st, m->from, &m->trashed, e);
	if (repo_move_whole(m->st, m->from, m->to, e) < 0)
		return -1;
	quota_move_done(&counted);
	return 0;
}

/* Whether there is certainly no such repository. */
static bool is_nothing(struct store *st, const struct name *n)
{
	cleanup_err struct err ignored = ERR_INIT;

	return repo_exists(st, n, &ignored) == 0;
}

/* A move that failed, as for want of room, before `to` was a repository: nothing of `from` may be found under that name. */
static void forget_target(struct move *m)
{
	cleanup_err struct err e = ERR_INIT;

	if (m->named && is_nothing(m->st, m->to) && forget(m->st, m->to, &m->trashed, &e) < 0)
		log_say(LOG_WARN, "repo", "%s is no repository, and the store still knows the name: %s", m->to->s, e.cause);
}

/* Whether there is anything to move, and anywhere to. */
static enum step move_locked(struct move *m, struct err *e)
{
	cleanup_journal struct journal_entry j = JOURNAL_ENTRY_INIT;
	cleanup_fd int catalog = -1;
	int exists = repo_exists(m->st, m->from, e), taken = repo_has_manifests(m->st, m->to, e), movable;

	if (exists < 0 || taken < 0)
		return STEP_FAILED;
	if (taken || !exists)
		return finish(m, exists, taken, e) < 0 ? STEP_FAILED : STEP_DONE;
	if (reg_rules_writable(m->r, m->from, e) < 0 || reg_rules_writable(m->r, m->to, e) < 0 || reg_rules_repository(m->r, m->from, e) < 0)
		return STEP_FAILED;
	movable = repo_movable(m->st, m->from, m->to, e);
	if (movable == 0 && !m->copy.dir.len)
		return STEP_COPY;
	/*
	 * An index of `to` is that of an earlier repository: it has to be compared before its first use. What is remembered, and when what was
	 * pulled, has both names meanwhile.
	 */
	m->named = true;
	if (movable < 0 || reg_copied_becomes_own(m->r, m->from, e) < 0 || reg_copied_becomes_own(m->r, m->to, e) < 0 ||
	    index_drop(m->st, m->from, e) < 0 || index_drop(m->st, m->to, e) < 0 || undo_copy(m->st, m->from, m->to, e) < 0 ||
	    pulled_copy(m->st, m->from, m->to, e) < 0 || catalog_lock(m->st, &catalog, e) < 0 ||
	    catalog_add(m->st, m->to, e) < 0)
		return STEP_FAILED;
	journal_add(m->st, &j, &(struct event){ .action = EVENT_RENAME, .repository = m->to, .from = m->from, .by = m->by });
	if (journal_begin(m->st, &j, e) < 0)
		return STEP_FAILED;
	if (rename_dirs(m, movable, e) < 0) {
		if (is_nothing(m->st, m->to))
			journal_undone(m->st, &j);
		return STEP_FAILED;
	}
	journal_done(m->st, &j);
	return STEP_DONE;
}

static enum step try_to_move(struct move *m, struct err *e)
{
	cleanup_fd int one = -1, other = -1;
	int fds[2], moving = -1;
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
		quota_hurry(m->st);
		step = moves_begin(m->st, &moving, e) < 0 ? STEP_FAILED : move_locked(m, e);
		moves_end(&moving);
	}
	unlock_collector(m->st);
	if (step == STEP_DONE && forget(m->st, m->from, &m->trashed, e) < 0)
		return STEP_FAILED;
	if (step == STEP_FAILED)
		forget_target(m);
	return step;
}

/* While somebody counts a group it waits without a lock. */
static enum step move_or_wait(struct move *m, struct err *e)
{
	enum step step;

	do
		step = try_to_move(m, e);
	while (step == STEP_FAILED && quota_try_again(m->st, e) == 0);
	return step;
}

/* If other repositories are nested in `from` its links are copied first, without a lock. */
static int move(struct move *m, struct err *e)
{
	enum step step = move_or_wait(m, e);

	if (step == STEP_COPY && repo_copy_begin(&m->copy, e) == 0)
		step = move_or_wait(m, e);
	return step == STEP_DONE ? 0 : -1;
}

/* As collector_exclude(), but it waits for an eviction. */
static int exclude(struct registry *r, int *run, struct err *e)
{
	int alone = collector_exclude(r->st, run, e);

	for (int i = 0; alone == 0 && r->cfg->nupstreams && i < COLLECTOR_TRIES; i++)
		alone = collector_exclude(r->st, run, e);
	return alone;
}

int repos_move(struct registry *r, const struct name *from, const struct name *to, struct err *e)
{
	struct move m = { .r = r, .st = r->st, .from = from, .to = to, .by = r->by, .trashed = NAMES_INIT };
	struct touched old = { .fd = -1 }, new = { .fd = -1 };
	cleanup_fd int run = -1;
	int alone, rc;

	if (strcmp(from->s, to->s) == 0)
		return err_set(e, ERR_NAME_INVALID, "%s already has that name", from->s);
	if (upstream_of(r->cfg, from, NULL) || upstream_of(r->cfg, to, NULL))
		return err_set(e, ERR_NAME_INVALID, "%s is the mirror of an upstream, whose name it has",
			       upstream_of(r->cfg, from, NULL) ? from->s : to->s);
	alone = exclude(r, &run, e);
	if (alone == 0)
		return err_set(e, ERR_UNAVAILABLE, "a collection is running; move %s when it has ended", from->s);
	/* Comparing the catalog holds its lock for long, and so does counting: do it before acquiring the locks that writers wait for. */
	if (alone < 0 || catalog_make_current(r->st, e) < 0 || quota_prepare(r->st, to, e) < 0)
		return -1;
	m.run_fd = run;
	m.copy = (struct repo_copy){ .st = r->st, .from = from, .to = to, .dir = STR_INIT };
	rc = touched_begin(r->st, from, &old, e) < 0 || touched_begin(r->st, to, &new, e) < 0 ? -1 : move(&m, e);
	touched_end(&old, from);
	touched_end(&new, to);
	reg_quota_tell(r, to);
	if (rc == 0)
		store_purge_all(r->st, &m.trashed);
	repo_copy_end(&m.copy);
	names_release(&m.trashed);
	return rc;
}
