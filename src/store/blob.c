/* SPDX-License-Identifier: Apache-2.0 */
/*
 * blob: content and the layer links.
 *
 * Owns blobs/ and repositories/<name>/_layers/. Invariant: a link is published only after its content and the content's
 * directories are durable (store/store.h).
 */
#include "store/blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/alone.h"
#include "store/catalog.h"
#include "store/collector.h"
#include "store/durable.h"
#include "store/link.h"
#include "store/lock.h"
#include "store/pulled.h"
#include "store/quota.h"
#include "store/store_path.h"

static bool digest_is_of_nothing(const struct digest *d)
{
	struct digest nothing;

	digest_of(&nothing, d->alg, "", 0);
	return digest_eq(d, &nothing);
}

/* Whether the file at a blob's path can be its content: 1 with the size, 0. */
static int judge(const struct digest *d, const struct stat *sb, uint64_t *size)
{
	if (!S_ISREG(sb->st_mode) || (sb->st_size == 0 && !digest_is_of_nothing(d)))
		return 0;
	*size = (uint64_t)sb->st_size;
	return 1;
}

/* As blob_open, with *sb; the descriptor is the caller's, whatever the result. */
static int open_content(struct store *st, const struct digest *d, int *fd, struct stat *sb, uint64_t *size, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_blob(&path, d);
	*size = 0;
	*fd = os_open_look(st->dirfd, path.buf, O_RDONLY, sb);
	if (*fd < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot open %s", path.buf);
	return judge(d, sb, size);
}

int blob_open(struct store *st, const struct digest *d, int *fd, uint64_t *size, struct err *e)
{
	struct stat sb;
	int found = open_content(st, d, fd, &sb, size, e);

	if (found <= 0)
		os_cleanup_fd(fd);
	return found;
}

int blob_pin(struct store *st, const struct name *n, const struct digest *d, uint64_t *size, struct err *e)
{
	cleanup_fd int fd = -1;
	struct stat sb;
	int found = open_content(st, d, &fd, &sb, size, e);

	if (found == 1 && alone_take(st, n, d, fd, &sb, e) < 0)
		return -1;
	if (found == 1)
		store_refresh(fd, &sb);
	return found;
}

/* For a reader: it finds out when it sends the content. */
static int look_at_content(struct store *st, const struct digest *d, uint64_t *size, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct stat sb;

	path_blob(&path, d);
	*size = 0;
	if (os_fstatat(st->dirfd, path.buf, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
	return judge(d, &sb, size);
}

int blob_read_link(struct store *st, const struct name *n, const struct digest *d, struct digest *target, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_layer(&dir, n, d);
	return link_read_in(st, dir.buf, target, e);
}

int blob_find(struct store *st, const struct name *n, const struct digest *d, bool touch, struct digest *target,
	      uint64_t *size, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int found;

	*size = 0;
	path_layer(&dir, n, d);
	found = touch ? link_pin(st, dir.buf, target, e) : link_find(st, dir.buf, d, target, e);
	if (found != 1)
		return found;
	return touch ? blob_pin(st, n, target, size, e) : look_at_content(st, target, size, e);
}

int blob_pulled(struct store *st, const struct name *n, const struct digest *d, struct digest *target, uint64_t *size, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	int64_t when;
	int found;

	*size = 0;
	path_layer(&dir, n, d);
	found = link_age(st, dir.buf, d, &when, target, e);
	if (found == 1 && !st->readonly && when / PULLED_HOUR != (int64_t)time(NULL) / PULLED_HOUR)
		link_touch(st, dir.buf);
	return found == 1 ? look_at_content(st, target, size, e) : found;
}

/* Existing content. */
struct content {
	int fd;                         /* owned; -1: there is none */
	uint64_t size;
	struct stat sb;
};

#define CONTENT_INIT { .fd = -1 }

static void release_content(struct content *c)
{
	os_cleanup_fd(&c->fd);
}

#define cleanup_content __attribute__((cleanup(release_content)))

/* 1, 0 absent, -1 with *e */
static int open_existing(struct store *st, const struct digest *d, struct content *c, struct err *e)
{
	int found = open_content(st, d, &c->fd, &c->sb, &c->size, e);

	if (found <= 0)
		os_cleanup_fd(&c->fd);
	return found;
}

/* 1 if it has the wanted size, 0 if not or absent, -1 */
static int open_sized(struct store *st, const struct digest *d, uint64_t want, struct content *c, struct err *e)
{
	int found = open_existing(st, d, c, e);

	return found < 0 ? -1 : found && c->size == want;
}

/* For content that stays. Its bytes were flushed before it got its name, by berth or at the start of the epoch; "full" takes no chance. */
static int keep_content(struct store *st, const struct name *n, const struct digest *d, const struct content *c, struct err *e)
{
	if (alone_take(st, n, d, c->fd, &c->sb, e) < 0)
		return -1;
	futimens(c->fd, NULL);
	return !st->image && store_flush_fd(st, c->fd) < 0 ? err_sys(e, "cannot flush blob %s", d->text) : 0;
}

/* It is no mirror's alone. */
static int forsake_file(struct store *st, const struct digest *d, int fd, struct err *e)
{
	struct stat sb;

	return os_fstat(fd, &sb) < 0 ? err_sys(e, "cannot look at a file of %s", d->text) : alone_take(st, NULL, d, fd, &sb, e);
}

/*
 * Of content that only mirrors have: counted before it is there, so that many that come at once do not exceed the bound together, and a kill leaves
 * no number that is too small. The caller holds lock_collector until it has its name, so that whoever measures sees both or neither.
 */
static int count_alone(struct store *st, const struct digest *d, const struct blob_source *src, uint64_t size, struct err *e)
{
	int room = alone_add(st, size, src->most, e);

	return room ? room : err_set(e, ERR_DENIED, "the cache is full: %s is not kept", d->text);
}

/*
 * Gives the file the content's name, which may be taken: then it is not a mirror's `alone`. No directory above is removed while the caller
 * holds the lock.
 */
static int put_in_place(struct store *st, const struct digest *d, const struct blob_source *src, const char *to, bool *alone, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	const char *from = src->path;
	int rc;

	if (src->how == BLOB_BY_LINK) {
		if (os_linkat(st->dirfd, from, st->dirfd, to, 0) == 0)
			return 0;
		if (errno != EEXIST)
			return err_sys(e, "cannot link %s as %s", from, to);
		if (*alone && forsake_file(st, d, src->fd, e) < 0)
			return -1;
		*alone = false;
		store_tmp(st, &tmp);
		if (os_linkat(st->dirfd, from, st->dirfd, tmp.buf, 0) < 0)
			return err_sys(e, "cannot link %s", from);
		from = tmp.buf;
	}
	rc = os_renameat(st->dirfd, from, st->dirfd, to) == 0 ? 0 : err_sys(e, "cannot publish %s", to);
	if (tmp.len)            /* rename(2) does nothing if both names are of the same file */
		os_unlinkat(st->dirfd, tmp.buf, 0);
	return rc;
}

/* A push may have created all directories above content: <hex>, <2 hex> and <alg>. */
static int flush_content_dirs(struct store *st, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, above = STR_INIT;

	path_blob_dir(&dir, d);
	str_add(&above, dir.buf, (size_t)(strrchr(dir.buf, '/') - dir.buf));
	if (store_flush_new(st, dir.buf) < 0 || durable_dir(st, above.buf) < 0)
		return err_sys(e, "cannot flush the directories of blob %s", d->text);
	return 0;
}

/*
 * Publishes a file whose bytes hash to d and are flushed; durable when it returns. It replaces existing content: whether that
 * is corrupt shows only when all of it is read, and a rename costs less than its flush. With may_stay, content of the same
 * size may stay if it cannot be replaced, in a directory of another user. The caller holds lock_collector.
 */
static int publish(struct store *st, const struct name *n, const struct digest *d, const struct blob_source *src, bool may_stay, uint64_t *size,
		   struct err *e)
{
	cleanup_str struct str to = STR_INIT, dir = STR_INIT;
	cleanup_content struct content old = CONTENT_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	bool alone = false, counted = false;
	struct stat sb;
	int exists, rc;

	if (os_fstat(src->fd, &sb) < 0)
		return err_sys(e, "cannot look at %s", src->path);
	*size = (uint64_t)sb.st_size;
	path_blob_dir(&dir, d);
	path_blob(&to, d);
	exists = open_sized(st, d, (uint64_t)sb.st_size, &old, e);
	if (exists < 0)
		return -1;
	/* Two machines have fetched it at the same time: a file that takes the other's place could not be a mirror's alone. */
	if (exists && alone_has(&old.sb) && alone_mirror(st, n))
		return keep_content(st, n, d, &old, e) < 0 ? -1 : flush_content_dirs(st, d, e);
	if (exists)
		futimens(src->fd, NULL);        /* no older than what it replaces: others may rely on that mtime */
	else if (src->how == BLOB_BY_LINK && alone_brings(st, n))
		alone = alone_give(src->fd, &sb);
	counted = alone;
	if (alone && count_alone(st, d, src, *size, e) < 0)
		return -1;
	if (!exists && os_mkdirs(st->dirfd, dir.buf) < 0)
		rc = err_sys(e, "cannot make %s", dir.buf);
	else
		rc = put_in_place(st, d, src, to.buf, &alone, e);
	if (counted && (rc < 0 || !alone))
		alone_sub(st, *size, &ignored);
	if (rc < 0) {
		if (!exists || !may_stay || (e->sys != EACCES && e->sys != EPERM) || keep_content(st, n, d, &old, e) < 0)
			return -1;
		err_release(e);
	} else if (!exists) {
		metrics_add(METRIC_BLOBS_ADDED, 1);
		metrics_add(METRIC_BLOB_BYTES_ADDED, (uint64_t)sb.st_size);
	}
	return flush_content_dirs(st, d, e);
}

/* Whether an open file has these bytes; false if it cannot be read. */
static bool has_bytes(int fd, const void *buf, size_t len)
{
	cleanup_free char *have = xmalloc(len + 1);

	return os_read_full(fd, have, len) == (ssize_t)len && memcmp(have, buf, len) == 0;
}

int blob_write(struct store *st, const struct name *n, const struct digest *d, const void *buf, size_t len, struct err *e)
{
	struct blob_source src = { .how = alone_brings(st, n) ? BLOB_BY_LINK : BLOB_BY_RENAME };
	cleanup_spool struct spool tmp = SPOOL_INIT;
	cleanup_content struct content old = CONTENT_INIT;
	uint64_t size;
	int exists = open_sized(st, d, len, &old, e);

	if (exists < 0)
		return -1;
	if (exists && has_bytes(old.fd, buf, len))
		return keep_content(st, n, d, &old, e) < 0 ? -1 : flush_content_dirs(st, d, e);
	if (spool_make(&tmp, st, e) < 0)
		return -1;
	if (os_write_full(tmp.fd, buf, len) < 0 || store_flush_fd(st, tmp.fd) < 0)
		return err_sys(e, "cannot write blob %s", d->text);
	src.path = tmp.path.buf;
	src.fd = tmp.fd;
	return publish(st, n, d, &src, false, &size, e);
}

int blob_flush_layers(struct store *st, const struct name *n, enum digest_alg alg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_layers(&dir, n, alg);
	return durable_dir(st, dir.buf) < 0 ? err_sys(e, "cannot flush %s", dir.buf) : 0;
}

/* The name of a link; with fsync = "image" the manifest that names the blob waits for it. */
static int flush_link(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	return st->image ? 0 : blob_flush_layers(st, n, d->alg, e);
}

/* The link was made: count it, and flush it. That order keeps the group's lock short; where a count has to rest on what is on disk, it comes last. */
static int count_link(struct store *st, const struct name *n, const struct digest *d, struct quota_change *counted, struct err *e)
{
	if (store_flushes_index(st) && flush_link(st, n, d, e) < 0)
		return -1;
	quota_done(counted);
	quota_end(counted);
	return store_flushes_index(st) ? 0 : flush_link(st, n, d, e);
}

int blob_commit(struct store *st, const struct name *n, const struct digest *d, const struct blob_source *src,
		struct err *e)
{
	cleanup_str struct str dir = STR_INIT, tmp = STR_INIT;
	cleanup_collector struct store *held = NULL;
	cleanup_quota struct quota_change counted = QUOTA_CHANGE_INIT;
	struct digest old;
	uint64_t size;
	int linked, rc = -1;

	/* From here on the repository is neither removed nor moved. */
	if (lock_collector(st, e) < 0)
		return -1;
	held = st;
	if (src->upload && upload_must_exist(src->upload, e) < 0)
		return -1;
	path_layer(&dir, n, d);
	linked = link_read_in(st, dir.buf, &old, e);
	if (linked == 1)
		linked = digest_eq(&old, d);            /* a link to another digest: its content may be absent */
	/*
	 * Whatever may fail for lack of space comes before the data is moved, so that a retry of the PUT finds it; turning the
	 * upload into the link needs no space as a rule. After that, a retry has to upload the data again: that the content
	 * exists does not prove that this client has it.
	 */
	if (linked < 0 || catalog_ensure(st, n, e) < 0 || (!linked && !src->upload && link_prepare(st, d, &tmp, e) < 0))
		return -1;
	if (collector_note(st, n, d, 1, e) < 0 || publish(st, n, d, src, true, &size, e) < 0 ||
	    quota_begin_link(&counted, st, n, QUOTA_LAYER, d, d, size, e) < 0 ||
	    (!linked && src->upload && upload_become_link(src->upload, d, &tmp, e) < 0))
		goto out;
	if (tmp.len)
		rc = link_publish(st, tmp.buf, dir.buf, d, e);
	else
		rc = link_ensure(st, dir.buf, d, e);    /* refreshes the mtime */
	str_reset(&tmp);                                /* gone, published or not */
	rc = rc < 0 ? -1 : count_link(st, n, d, &counted, e);
out:	/* a link that was prepared but not published */
	if (tmp.len)
		os_remove_tree(st->dirfd, tmp.buf);
	return rc;
}

/* Links d, whose content is that of `target`, an open file. The caller holds lock_collector. */
static int link_open(struct store *st, const struct name *n, const struct digest *d, const struct digest *target, const struct content *c,
		     struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	cleanup_quota struct quota_change counted = QUOTA_CHANGE_INIT;

	if (keep_content(st, n, target, c, e) < 0 || collector_note(st, n, (const struct digest[]){ *d, *target }, 2, e) < 0 ||
	    flush_content_dirs(st, target, e) < 0)
		return -1;
	path_layer(&dir, n, d);
	if (catalog_ensure(st, n, e) < 0 || quota_begin_link(&counted, st, n, QUOTA_LAYER, d, target, c->size, e) < 0 ||
	    link_ensure(st, dir.buf, target, e) < 0)
		return -1;
	return count_link(st, n, d, &counted, e) < 0 ? -1 : 1;
}

int blob_adopt(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_collector struct store *held = NULL;
	cleanup_content struct content c = CONTENT_INIT;
	int found;

	if (lock_collector(st, e) < 0)
		return -1;
	held = st;
	found = open_existing(st, d, &c, e);
	return found == 1 ? link_open(st, n, d, d, &c, e) : found;
}

int blob_link(struct store *st, const struct name *n, const struct digest *d, const struct name *from, struct err *e)
{
	cleanup_collector struct store *held = NULL;
	cleanup_content struct content c = CONTENT_INIT;
	struct digest target;
	uint64_t size;
	int found;

	if (lock_collector(st, e) < 0)
		return -1;
	held = st;
	found = blob_find(st, from, d, true, &target, &size, e);
	if (found == 1)
		found = open_sized(st, &target, size, &c, e);
	return found == 1 ? link_open(st, n, d, &target, &c, e) : found;
}

int blob_unlink(struct store *st, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, trashed = STR_INIT;
	struct digest old;
	int found;

	/* Excludes moves of the repository: the link must not survive under its new name. */
	if (lock_collector(st, e) < 0)
		return -1;
	path_layer(&dir, n, d);
	found = link_read_in(st, dir.buf, &old, e);
	if (found == 1)
		found = quota_unlink(st, n, QUOTA_LAYER, d, store_trash, &trashed, e);
	if (found == 1 && store_flush_above(st, dir.buf, 1) < 0)
		found = err_sys(e, "cannot flush the directory of %s", dir.buf);
	unlock_collector(st);
	if (found <= 0)
		return found;
	store_purge(st, trashed.buf);
	return 1;
}
