/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fence: step directories.
 *
 * Owns berth/locks/step/ and berth/gc/out/. Invariant: the name of a step directory is never given twice, so nobody makes again what the next
 * holder of the lock has removed; and it is made before a moment at which its maker is known to have the lock.
 */
#include "store/fence.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/time.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/store_path.h"

#define TRIES 16                /* a late step may bring something while the directory is emptied */

static bool is_there(struct store *st, const char *path)
{
	struct stat sb;

	return os_fstatat(st->dirfd, path, &sb, AT_SYMLINK_NOFOLLOW) == 0 || !os_gone(errno);
}

static void say_lost(void)
{
	log_say(LOG_WARN, "lock_lost", "this machine stood still, and another one has its lock by now: what it was about to change stays as it is");
}

static int lost(struct err *e)
{
	say_lost();
	return err_set(e, ERR_UNAVAILABLE, "another machine has taken over");
}

/* A name that was never given */
static void steps_name(struct store *st, const char *above, struct str *out)
{
	str_reset(out);
	str_addf(out, "%s/%016" PRIx64 "-%" PRIu64, above, st->id, st->serial++);
}

/*
 * Empties a step directory and removes it. What lies there goes to the trash and is not removed at once: that it has left its place may not be
 * on disk yet. Removing the directory itself is what counts: a file system may know it by its number, wherever it is. But it loses its name
 * before the first file leaves it: who finds that his file is gone, and the directory is there, has renamed that file himself (os/again.h).
 */
static int close_steps(struct store *st, const char *above, const char *name, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, away = STR_INIT, from = STR_INIT, to = STR_INIT;
	int tries;

	path_in(&dir, above, name);
	for (tries = 0; tries < TRIES; tries++) {
		cleanup_names struct names names = NAMES_INIT;
		size_t i;

		if (os_unlinkat(st->dirfd, dir.buf, AT_REMOVEDIR) == 0 || os_gone(errno))
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			break;
		if (!away.len) {
			steps_name(st, above, &away);
			if (os_renameat(st->dirfd, dir.buf, st->dirfd, away.buf) < 0)
				return os_gone(errno) ? 0 : err_sys(e, "cannot rename %s", dir.buf);
			path_in(&dir, above, away.buf + strlen(above) + 1);
		}
		if (os_dir_list(st->dirfd, dir.buf, DIR_ALL, &names) < 0 && !os_gone(errno))
			break;
		for (i = 0; i < names.count; i++) {
			path_in(&from, dir.buf, names.v[i]);
			store_trash_name(st, &to);
			if (os_renameat(st->dirfd, from.buf, st->dirfd, to.buf) < 0 && !os_gone(errno))
				return err_sys(e, "cannot move %s to the trash", from.buf);
		}
	}
	return err_sys(e, "cannot remove %s", dir.buf);
}

static int close_others(struct store *st, const char *dir, const char *own, bool *found, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	size_t i;

	*found = false;
	if (os_dir_list(st->dirfd, dir, DIR_ALL, &names) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot list %s", dir);
	for (i = 0; i < names.count; i++) {
		path_in(&path, dir, names.v[i]);
		if (strcmp(path.buf, own) == 0)
			*found = true;
		else if (close_steps(st, dir, names.v[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The lock is tried again afterwards: whoever gets it from now on sees the directory. 1, 0 lost, -1 with *e */
static int make_steps(struct store *st, const char *dir, int fd, struct err *e)
{
	/* If it is there, it is as in store_make(): nobody else gives this name. */
	if (os_mkdirs(st->dirfd, dir) < 0)
		return err_sys(e, "cannot make %s", dir);
	if (os_lock(fd, true, 0, NULL) == 0)
		return 1;
	os_unlinkat(st->dirfd, dir, AT_REMOVEDIR);
	return 0;
}

int fence_repository(struct store *st, const struct name *n, unsigned stripe, int fd, struct err *e)
{
	struct fence_state *f = &st->fence;
	cleanup_str struct str above = STR_INIT;
	bool found;
	int rc;

	if (st->local || st->readonly)
		return 1;
	path_steps(&above, stripe);
	if (close_others(st, above.buf, f->steps.buf, &found, e) < 0)
		return -1;
	str_reset(&f->repository);
	str_puts(&f->repository, n->s);
	if (found)
		return 1;
	steps_name(st, above.buf, &f->steps);
	rc = make_steps(st, f->steps.buf, fd, e);
	if (rc == 1)
		return 1;
	str_reset(&f->steps);
	if (rc < 0 && (e->sys == ENOSPC || e->sys == EDQUOT)) {
		err_release(e);
		*e = (struct err)ERR_INIT;
		return 1;
	}
	return rc;
}

static bool is_for(const struct store *st, const struct name *n)
{
	return st->fence.steps.len && strcmp(st->fence.repository.buf, n->s) == 0;
}

static void step_in(struct store *st, const char *dir, struct str *path)
{
	str_reset(path);
	str_addf(path, "%s/%" PRIu64, dir, st->serial++);
}

void fence_tmp(struct store *st, const struct name *n, struct str *path)
{
	if (is_for(st, n))
		step_in(st, st->fence.steps.buf, path);
	else
		store_tmp(st, path);
}

int fence_mkdirs(struct store *st, const char *from, const char *path)
{
	const char *end = path + strlen(from);

	if (st->local)
		return os_mkdirs(st->dirfd, path);
	while (end) {
		cleanup_str struct str p = STR_INIT;

		str_add(&p, path, *end ? (size_t)(end - path) : strlen(path));
		if (os_mkdir_once(st->dirfd, p.buf) < 0)
			return -1;
		end = *end ? strchrnul(end + 1, '/') : NULL;
	}
	return 0;
}

/* Whether a path is of the index of the repository whose lock this process has. */
static bool is_of_index(const struct store *st, const char *path)
{
	const struct str *name = &st->fence.repository;
	size_t above = strlen(STORE_INDEX_DIR "/");

	return st->fence.steps.len && strncmp(path, STORE_INDEX_DIR "/", above) == 0 && strncmp(path + above, name->buf, name->len) == 0 &&
	       strncmp(path + above + name->len, "/_", 2) == 0;
}

int fence_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush)
{
	cleanup_str struct str tmp = STR_INIT;

	if (!is_of_index(st, path))
		return store_replace(st, path, buf, len, flush);
	step_in(st, st->fence.steps.buf, &tmp);
	if (store_write(st, tmp.buf, buf, len, flush) == 0 && os_renameat(st->dirfd, tmp.buf, st->dirfd, path) == 0)
		return 0;
	fence_errno(st);
	/* Something odd may lie there, which store_replace() removes. */
	if (errno == EISDIR)
		return store_replace(st, path, buf, len, flush);
	return -1;
}

int fence_unlink(struct store *st, const char *path)
{
	cleanup_str struct str tmp = STR_INIT;

	if (!is_of_index(st, path))
		return os_unlinkat(st->dirfd, path, 0);
	step_in(st, st->fence.steps.buf, &tmp);
	return os_renameat(st->dirfd, path, st->dirfd, tmp.buf) < 0 ? -1 : os_unlinkat(st->dirfd, tmp.buf, 0);
}

bool fence_holds(struct store *st, const char *path)
{
	return !is_of_index(st, path) || is_there(st, st->fence.steps.buf);
}

void fence_errno(struct store *st)
{
	const char *dir = st->fence.batch.len ? st->fence.batch.buf : st->fence.steps.buf;

	if (errno != ENOENT || !*dir)
		return;
	if (is_there(st, dir)) {
		errno = ENOENT;
		return;
	}
	say_lost();
	errno = ESTALE;
}

/* 1, 0 if there is no such path, -1 with *e */
static int take(struct store *st, const struct str *dir, const struct str *then, const char *path, struct str *out, struct err *e)
{
	cleanup_str struct str to = STR_INIT;

	step_in(st, dir->buf, &to);
	if (os_renameat(st->dirfd, path, st->dirfd, to.buf) < 0) {
		fence_errno(st);
		return errno == ENOENT || errno == ENOTDIR ? 0 : err_sys(e, "cannot move %s away", path);
	}
	path_in(out, then->buf, strrchr(to.buf, '/') + 1);
	return 1;
}

int fence_trash(struct store *st, const char *path, struct str *out, struct err *e)
{
	const struct fence_state *f = &st->fence;
	cleanup_str struct str step = STR_INIT;
	int found;

	if (f->batch.len)
		return take(st, &f->batch, &f->then, path, out, e);
	if (!f->steps.len)
		return store_trash(st, path, out, e);
	found = take(st, &f->steps, &f->steps, path, &step, e);
	/* The caller empties its trash when it has released the lock. If this fails, whoever has the lock next does it. */
	store_trash_name(st, out);
	if (found == 1)
		os_renameat(st->dirfd, step.buf, st->dirfd, out->buf);
	return found;
}

int fence_discard(struct store *st, const char *path, struct str *out, struct err *e)
{
	cleanup_err struct err full = ERR_INIT;
	int rc;

	if (!st->fence.batch.len)
		return store_discard(st, path, out, e);
	rc = fence_trash(st, path, out, &full);
	if (rc < 0 && (full.sys == ENOSPC || full.sys == EDQUOT))
		return store_discard(st, path, out, e);
	if (rc < 0) {
		*e = full;
		full = (struct err)ERR_INIT;
	}
	return rc;
}

int fence_entered(struct store *st, uint64_t since, struct err *e)
{
	int tries;

	st->fence.since = since;
	for (tries = 0; tries < TRIES; tries++) {
		cleanup_names struct names names = NAMES_INIT;
		size_t i;

		if (st->local || st->readonly || os_unlinkat(st->dirfd, STORE_OUT_DIR, AT_REMOVEDIR) == 0 || os_gone(errno))
			return 0;
		if (os_dir_list(st->dirfd, STORE_OUT_DIR, DIR_ALL, &names) < 0 && !os_gone(errno))
			return err_sys(e, "cannot list %s", STORE_OUT_DIR);
		for (i = 0; i < names.count; i++)
			if (close_steps(st, STORE_OUT_DIR, names.v[i], e) < 0)
				return -1;
	}
	return err_sys(e, "cannot remove %s", STORE_OUT_DIR);
}

int fence_sure(const struct store *st, struct err *e)
{
	return st->local || time_boot_usec() - st->fence.since < FENCE_BOUND * UINT64_C(1000000) ? 0 : lost(e);
}

int fence_begin_batch(struct store *st, const char *run, struct err *e)
{
	struct fence_state *f = &st->fence;

	if (st->local)
		return 0;
	str_reset(&f->batch);
	str_addf(&f->batch, STORE_OUT_DIR "/%s-%" PRIu64, run, st->serial++);
	store_trash_name(st, &f->then);
	if (os_mkdir_once(st->dirfd, STORE_OUT_DIR) == 0 && os_mkdir_once(st->dirfd, f->batch.buf) == 0) {
		if (os_lock(st->collector_fd, true, 0, NULL) == 0)
			return 0;
		fence_end_batch(st);
		return lost(e);
	}
	err_sys(e, "cannot make %s", f->batch.buf);
	str_reset(&f->batch);
	return -1;
}

/* What could not be moved is removed by the next one that acquires the lock. */
void fence_end_batch(struct store *st)
{
	struct fence_state *f = &st->fence;

	if (!f->batch.len)
		return;
	if (os_unlinkat(st->dirfd, f->batch.buf, AT_REMOVEDIR) < 0)
		os_renameat(st->dirfd, f->batch.buf, st->dirfd, f->then.buf);
	os_unlinkat(st->dirfd, STORE_OUT_DIR, AT_REMOVEDIR);
	str_reset(&f->batch);
}
