/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store: opening the root, flushing, whole files, temporary names and the trash.
 *
 * Owns the root's descriptor, those of the collector's lock files and of quotas, and the names in berth/tmp/ and berth/trash/. Calls no
 * other module of the store but store_path.
 */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "os/fs.h"
#include "os/lock.h"
#include "os/near.h"
#include "os/tree.h"
#include "store/store_path.h"

int store_read_epoch(struct store *st, struct err *e)
{
	ssize_t n = os_read_file(st->dirfd, STORE_EPOCH_FILE, st->epoch, STORE_EPOCH_LEN);

	st->epoch[n == STORE_EPOCH_LEN ? STORE_EPOCH_LEN : 0] = '\0';
	return n < 0 && errno != ENOENT ? err_sys(e, "cannot read %s", STORE_EPOCH_FILE) : 0;
}

static mode_t umask_now(void)
{
	mode_t m = umask(0);

	umask(m);
	return m;
}

/*
 * A look at mapped memory is no system call. Another machine's change would not be seen there, and without the memory the rules are
 * read from their file.
 */
static void map_quota(struct store *st)
{
	cleanup_fd int fd = -1;
	struct stat sb;
	void *map;

	if (!st->quota.by || !st->local)
		return;
	fd = os_open_look(st->dirfd, STORE_QUOTA_WORD_FILE, O_RDWR | O_CREAT, &sb);
	/* The file is never made shorter. */
	if (fd < 0 || !S_ISREG(sb.st_mode) ||
	    (sb.st_size < (off_t)sizeof(uint64_t) && ftruncate(fd, sizeof(uint64_t)) < 0))
		return;
	map = mmap(NULL, sizeof(uint64_t), PROT_READ, MAP_SHARED, fd, 0);
	st->quota.word = map == MAP_FAILED ? NULL : map;
}

static int open_locks(struct store *st, const char *root, struct err *e)
{
	st->turnstile_fd = os_lock_open(st->dirfd, STORE_TURNSTILE_FILE);
	if (st->turnstile_fd >= 0)
		st->collector_fd = os_lock_open(st->dirfd, STORE_COLLECTOR_FILE);
	st->ordered = st->image && fs_is_ordered(st->dirfd);
	if (st->ordered && st->collector_fd >= 0)
		st->barrier_fd = os_lock_open(st->dirfd, STORE_BARRIER_FILE);
	map_quota(st);
	return st->collector_fd < 0 || (st->ordered && st->barrier_fd < 0) ? err_sys(e, "cannot open the lock files below %s/berth/locks", root) : 0;
}

static void init_quota(struct quota_state *q, const struct store_options *o)
{
	size_t i;

	q->by = o->quota;
	q->arg = o->quota_arg;
	q->rules = (struct str)STR_INIT;
	for (i = 0; i < QUOTA_LOCKS; i++)
		q->locks[i] = -1;
	for (i = 0; i < QUOTA_TABLES; i++)
		q->tables[i].fd = -1;
}

static void init_fence(struct fence_state *f)
{
	f->steps = f->repository = f->batch = f->then = (struct str)STR_INIT;
}

static void close_quota(struct quota_state *q)
{
	size_t i;

	for (i = 0; i < QUOTA_LOCKS; i++)
		os_cleanup_fd(&q->locks[i]);
	for (i = 0; i < QUOTA_TABLES; i++)
		os_cleanup_fd(&q->tables[i].fd);
}

int store_open_root(struct store **out, const struct store_options *o, struct err *e)
{
	struct store *st = *out = xcalloc(1, sizeof(*st));

	st->flush = o->flush;
	st->barrier_fd = -1;
	st->touched_fd = -1;
	st->readonly = o->readonly;
	st->seats = o->seats;
	st->nseats = o->nseats;
	st->journal = o->journal;
	st->segments = (struct segments)SEGMENTS_INIT;
	init_quota(&st->quota, o);
	init_fence(&st->fence);
	st->mirrors = o->mirrors;
	st->file_mode = 0666 & ~umask_now();
	st->turnstile_fd = st->collector_fd = -1;
	os_random(&st->id, sizeof(st->id));
	st->dirfd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);
	if (st->dirfd < 0) {
		err_sys(e, "cannot open the store %s", o->root);
		store_close(out);
		return -1;
	}
	st->local = fs_is_local(st->dirfd);
	/* Tests have it on a local disk as well. */
	st->distant = !st->local || getenv("BERTH_TEST_DISTANT");
	st->keeps_names = !st->local && fs_keeps_names(st->dirfd);
	st->by_length = !st->local && fs_flushes_by_length(st->dirfd);
	st->image = o->flush && o->image && st->local;
	st->segments.dirfd = st->dirfd;
	st->segments.dir = STORE_JOURNAL_DIR;
	st->segments.shared = !st->local;
	st->segments.flush = o->flush;
	return 0;
}

#define GLANCE 5        /* milliseconds: another process that looks holds the lock for a moment */

/* Whether a master holds the lock that all of its kind share. If that can't be found out, one may. */
static bool is_served(struct store *st)
{
	static const char *const files[] = { STORE_ONLINE_FILE, STORE_ONLINE_1_0_FILE };
	size_t i;

	for (i = 0; i < ARRAY_LEN(files); i++) {
		cleanup_fd int fd = os_open_file(st->dirfd, files[i], O_RDWR, 0);

		if (fd < 0 ? errno != ENOENT : os_lock(fd, true, GLANCE, NULL) < 0)
			return true;
	}
	return false;
}

/* A caller whose configuration says nothing of a journal: that of the masters counts. */
static void read_journal_rules(struct store *st)
{
	char text[64];
	ssize_t n = os_read_file(st->dirfd, STORE_JOURNAL_RULES_FILE, text, sizeof(text) - 1);
	struct journal_rules rules = { .on = true };
	size_t keep;

	if (n <= 0 || (size_t)n >= sizeof(text))
		return;
	text[n] = '\0';
	keep = strcspn(text, " ");
	if (text[keep] == ' ' && str_parse_u64(text, keep, &rules.keep) == 0 &&
	    str_parse_u64(text + keep + 1, strcspn(text + keep + 1, "\n"), &rules.max) == 0)
		st->journal = rules;
}

/* The directories of the layout that all requests go through. Nobody renames them while a store is served. */
static void keep_near(const struct store *st)
{
	static const char *const paths[] = { STORE_REPOSITORIES_DIR, STORE_SHA256_DIR, STORE_BLOBS_DIR, STORE_INDEX_DIR, STORE_REPOSITORY_LOCKS_DIR,
					     STORE_LOCKS_DIR, STORE_TMP_DIR, STORE_TRASH_DIR, STORE_BODY_DIR, STORE_GC_DIR };

	if (st->distant)
		near_keep(st->dirfd, paths, ARRAY_LEN(paths));
}

int store_open(struct store **out, const struct store_options *o, struct err *e)
{
	if (store_open_root(out, o, e) < 0)
		return -1;
	if (!o->readonly && !o->serving && !o->journal.on)
		read_journal_rules(*out);
	if (o->readonly || (open_locks(*out, o->root, e) == 0 && (!(o->serving || is_served(*out)) || store_read_epoch(*out, e) == 0))) {
		keep_near(*out);
		return 0;
	}
	store_close(out);
	return -1;
}

static void release_fence(struct fence_state *f)
{
	str_release(&f->steps);
	str_release(&f->repository);
	str_release(&f->batch);
	str_release(&f->then);
}

void store_close(struct store **stp)
{
	struct store *st = *stp;

	if (!st)
		return;
	segments_close(&st->segments);
	close_quota(&st->quota);
	str_release(&st->quota.rules);
	release_fence(&st->fence);
	if (st->quota.word)
		munmap(st->quota.word, sizeof(uint64_t));
	near_drop(st->dirfd);
	os_cleanup_fd(&st->dirfd);
	os_cleanup_fd(&st->turnstile_fd);
	os_cleanup_fd(&st->collector_fd);
	os_cleanup_fd(&st->barrier_fd);
	os_cleanup_fd(&st->touched_fd);
	free(st->pulls);
	free(st);
	*stp = NULL;
}

int store_flush_fd(struct store *st, int fd)
{
	return st->ordered ? os_write_out(fd) : st->flush ? os_fsync(fd) : 0;
}

int store_flush_new(struct store *st, const char *path)
{
	return st->ordered ? 0 : store_flush_dir(st, path);
}

int store_write(struct store *st, const char *path, const void *buf, size_t len, bool flush)
{
	cleanup_fd int fd = os_open(st->dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0666);

	if (fd < 0 || os_write_full(fd, buf, len) < 0)
		return -1;
	return flush ? store_flush_fd(st, fd) : 0;
}

#define TOUCH_TRIES 8           /* a directory may be removed as often while it is made */

int store_note(struct store *st, const char *path, const char *text, size_t len)
{
	cleanup_str struct str dir = STR_INIT;
	int tries;

	str_add(&dir, path, (size_t)(strrchr(path, '/') - path));
	for (tries = 0; tries < TOUCH_TRIES; tries++) {
		if (store_write(st, path, text, len, false) == 0 || errno == EEXIST)
			return 0;
		if (errno != ENOENT || (os_mkdirs(st->dirfd, dir.buf) < 0 && errno != ENOENT))
			return -1;
	}
	return -1;
}

int store_touch(struct store *st, const char *path)
{
	return store_note(st, path, "", 0);
}

/* A power cut ends the epoch, unless another machine goes on: then each index is compared with the links before it is believed. */
bool store_flushes_index(const struct store *st)
{
	return st->flush && !st->local;
}

int store_flush_dir(struct store *st, const char *path)
{
	return st->flush && !st->keeps_names ? os_fsync_dir(st->dirfd, path) : 0;
}

int store_flush_above(struct store *st, const char *path, unsigned count)
{
	return st->flush && !st->keeps_names ? os_fsync_above(st->dirfd, path, count) : 0;
}

int store_flush_all(struct store *st)
{
	return st->flush ? syncfs(st->dirfd) : 0;
}

void store_refresh(int fd, const struct stat *sb)
{
	if (sb->st_mtim.tv_sec != time(NULL))
		futimens(fd, NULL);
}

static int read_once(struct store *st, const char *path, uint64_t max, struct str *out)
{
	struct stat sb;
	cleanup_fd int fd = os_open_look(st->dirfd, path, O_RDONLY, &sb);

	str_reset(out);
	if (fd < 0)
		return os_gone(errno) ? 0 : -1;
	if (!S_ISREG(sb.st_mode) || (uint64_t)sb.st_size > max) {
		errno = EUCLEAN;
		return -1;
	}
	return os_read_str(fd, (uint64_t)sb.st_size, out) < 0 ? -1 : 1;
}

int store_read(struct store *st, const char *path, uint64_t max, struct str *out)
{
	unsigned tries = 0;
	int rc;

	do
		rc = read_once(st, path, max, out);
	while (rc < 0 && os_again(errno, &tries));
	return rc;
}

int store_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush)
{
	cleanup_str struct str tmp = STR_INIT;
	int saved;

	store_tmp(st, &tmp);
	if (store_write(st, tmp.buf, buf, len, flush) == 0 &&
	    (os_renameat(st->dirfd, tmp.buf, st->dirfd, path) == 0 ||
	     /* berth never makes a directory here, and can write the file again. */
	     (errno == EISDIR && os_remove_tree(st->dirfd, path) == 0 && os_renameat(st->dirfd, tmp.buf, st->dirfd, path) == 0)))
		return 0;
	saved = errno;
	os_unlinkat(st->dirfd, tmp.buf, 0);
	errno = saved;
	return -1;
}

int store_blocked(struct store *st, const char *path, struct str *at)
{
	const char *slash = path;
	struct stat sb;

	do {
		slash = strchr(slash, '/');
		str_reset(at);
		str_add(at, path, slash ? (size_t)(slash++ - path) : strlen(path));
		/* A symbolic link to a directory is accepted. */
		if (os_fstatat(st->dirfd, at->buf, &sb, 0) == 0 && S_ISDIR(sb.st_mode))
			continue;
		if (os_fstatat(st->dirfd, at->buf, &sb, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 0 : -1;
		if (!S_ISDIR(sb.st_mode))
			return 1;
	} while (slash);
	return 0;
}

int store_unblock(struct store *st, const char *path)
{
	cleanup_str struct str at = STR_INIT;
	int blocked = store_blocked(st, path, &at);

	return blocked == 1 ? os_unlinkat(st->dirfd, at.buf, 0) : blocked;
}

static void unique_name(struct store *st, const char *dir, struct str *path)
{
	str_reset(path);
	str_addf(path, "%s/%016" PRIx64 "-%" PRIu64, dir, st->id, st->serial++);
}

void store_forked(struct store *st)
{
	os_random(&st->id, sizeof(st->id));
	close_quota(&st->quota);        /* the parent's locks */
	str_reset(&st->fence.steps);    /* and its steps */
}

void store_tmp(struct store *st, struct str *path)
{
	unique_name(st, STORE_TMP_DIR, path);
}

void store_trash_name(struct store *st, struct str *path)
{
	unique_name(st, STORE_TRASH_DIR, path);
}

int store_trash(struct store *st, const char *path, struct str *out, struct err *e)
{
	int tries;

	unique_name(st, STORE_TRASH_DIR, out);
	for (tries = 0; tries < 2; tries++) {
		if (os_renameat(st->dirfd, path, st->dirfd, out->buf) == 0)
			return 1;
		/* ENOENT may mean that berth/trash/ is missing; if mkdirat fails with EEXIST, it is not. */
		if (errno != ENOENT || os_mkdirat(st->dirfd, STORE_TRASH_DIR, 0777) < 0)
			break;
	}
	if (errno == EEXIST || errno == ENOTDIR)
		return 0;
	return err_sys(e, "cannot move %s to the trash", path);
}

int store_discard(struct store *st, const char *dir, struct str *trashed, struct err *e)
{
	struct err full = ERR_INIT;
	int rc = store_trash(st, dir, trashed, &full);

	if (rc >= 0)
		return rc;
	str_reset(trashed);
	if (full.sys != ENOSPC && full.sys != EDQUOT) {
		*e = full;
		return -1;
	}
	err_release(&full);
	return os_remove_tree(st->dirfd, dir) < 0 ? err_sys(e, "cannot remove %s", dir) : 1;
}

void store_purge(struct store *st, const char *trashed)
{
	os_remove_tree(st->dirfd, trashed);
}

void store_purge_all(struct store *st, const struct names *trashed)
{
	size_t i;

	for (i = 0; i < trashed->count; i++)
		store_purge(st, trashed->v[i]);
}

int store_remove_dir(struct store *st, const char *dir, const char *file)
{
	cleanup_str struct str path = STR_INIT;
	bool there;

	str_addf(&path, "%s/%s", dir, file);
	there = os_unlinkat(st->dirfd, path.buf, 0) == 0 || !os_gone(errno);
	if (os_unlinkat(st->dirfd, dir, AT_REMOVEDIR) == 0 || !there)
		return there;
	return os_remove_tree(st->dirfd, dir) < 0 ? -1 : 1;
}

void store_purge_dir(struct store *st, const char *trashed, const char *file)
{
	if (store_remove_dir(st, trashed, file) <= 0)
		store_purge(st, trashed);
}
