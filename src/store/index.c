/* SPDX-License-Identifier: Apache-2.0 */
/*
 * index: a repository's index on disk.
 *
 * Owns berth/index/<name>/. Knows nothing of the content of manifests. While no berth runs all of it may be deleted: it is
 * built again from the links at first use.
 */
#include "store/index.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/epoch.h"
#include "store/fence.h"
#include "store/sorted.h"
#include "store/store_path.h"
#include "store/summary_write.h"
#include "store/taglist.h"

#define DESCRIPTOR_MAX (64 * 1024 * 1024)       /* bytes: the maximum of a manifest, whose annotations it contains */

int index_current(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, n, STORE_INDEX_EPOCH);
	return epoch_stamped(st, path.buf, e);
}

static const char *const dirs[] = { STORE_INDEX_NAMES, STORE_INDEX_TAGS, STORE_INDEX_REFERRERS };

int index_exists(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		cleanup_fd int fd = -1;

		path_index_file(&path, n, dirs[i]);
		fd = os_open(st->dirfd, path.buf, O_PATH, 0);
		if (fd >= 0)
			return 1;
		if (!os_gone(errno))
			return err_sys(e, "cannot look for %s", path.buf);
	}
	return 0;
}

int index_blocked(struct store *st, const struct name *n, struct str *at, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int blocked = 0;
	size_t i;

	for (i = 0; blocked == 0 && i < ARRAY_LEN(dirs); i++) {
		path_index_file(&path, n, dirs[i]);
		blocked = store_blocked(st, path.buf, at);
	}
	return blocked < 0 ? err_sys(e, "cannot look for %s", path.buf) : blocked;
}

int index_clear(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		path_index_file(&path, n, dirs[i]);
		if (store_unblock(st, path.buf) < 0)
			return err_sys(e, "cannot make way for %s", path.buf);
	}
	return index_drop(st, n, e);
}

int index_begin(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		path_index_file(&path, n, dirs[i]);
		if (os_mkdirs(st->dirfd, path.buf) < 0)
			return err_sys(e, "cannot make %s", path.buf);
	}
	/* The index's directory, and as many above it as the repository has, up to berth/index/. */
	if (store_flushes_index(st) && store_flush_above(st, path.buf, 1 + path_repository_above(n)) < 0)
		return err_sys(e, "cannot flush the directories of %s", path.buf);
	return 0;
}

int index_end(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, n, STORE_INDEX_EPOCH);
	return epoch_stamp(st, path.buf, e);
}

int index_drop(struct store *st, const struct name *n, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	if (taglist_drop(st, n, e) < 0)
		return -1;
	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	if (summary_drop(st, path.buf, e) < 0)
		return -1;
	path_index_file(&path, n, STORE_INDEX_EPOCH);
	if (os_remove_tree(st->dirfd, path.buf) < 0 && !os_gone(errno))
		return err_sys(e, "cannot remove %s", path.buf);
	if (store_flushes_index(st) && store_flush_above(st, path.buf, 1) < 0 && !os_gone(errno))
		return err_sys(e, "cannot flush the directory of %s", path.buf);
	return 0;
}

/* The directories themselves stay: nested repositories may have theirs in them, or may be creating one now. */
int index_remove(struct store *st, const struct name *n, struct names *trashed, struct err *e)
{
	cleanup_str struct str path = STR_INIT, taken = STR_INIT;
	int had = 0;
	size_t i;

	if (index_drop(st, n, e) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		int found;

		path_index_file(&path, n, dirs[i]);
		found = store_trash(st, path.buf, &taken, e);
		if (found < 0)
			return -1;
		if (found)
			names_add(trashed, taken.buf, taken.len);
		had |= found;
	}
	return had;
}

static void add_pair(struct str *s, const struct digest *d, const char *tag)
{
	str_addf(s, "%s %s", d->text, tag);
}

int index_add_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool is_new,
		  struct err *e)
{
	cleanup_str struct str dir = STR_INIT, pair = STR_INIT;

	path_index_file(&dir, n, STORE_INDEX_TAGS);
	add_pair(&pair, d, t->s);
	if (sorted_add(st, dir.buf, pair.buf, e) < 0)
		return -1;
	path_index_file(&dir, n, STORE_INDEX_NAMES);
	return is_new ? sorted_add(st, dir.buf, t->s, e) : 0;
}

void index_remove_tag(struct store *st, const struct name *n, const struct tag *t, const struct digest *d, bool gone)
{
	cleanup_str struct str dir = STR_INIT, pair = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;      /* an entry too much is allowed */

	path_index_file(&dir, n, STORE_INDEX_TAGS);
	add_pair(&pair, d, t->s);
	sorted_remove(st, dir.buf, pair.buf, &ignored);
	path_index_file(&dir, n, STORE_INDEX_NAMES);
	if (gone)
		sorted_remove(st, dir.buf, t->s, &ignored);
}

struct tags_of {
	struct str prefix;
	size_t max;
	struct names *out;
};

static int take_pair(void *arg, const char *pair, struct err *e)
{
	struct tags_of *t = arg;

	(void)e;
	if (t->out->count == t->max || strncmp(pair, t->prefix.buf, t->prefix.len) != 0)
		return 1;
	names_add(t->out, pair + t->prefix.len, strlen(pair) - t->prefix.len);
	return 0;
}

int index_tags_of(struct store *st, const struct name *n, const struct digest *d, size_t max, struct names *out, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct tags_of t = { .prefix = STR_INIT, .max = max, .out = out };
	int rc;

	path_index_file(&dir, n, STORE_INDEX_TAGS);
	add_pair(&t.prefix, d, "");
	rc = sorted_walk(st, dir.buf, t.prefix.buf, take_pair, &t, e);
	str_release(&t.prefix);
	return rc < 0 ? -1 : 0;
}

void index_pair(const struct digest *d, const struct tag *t, struct names *pairs)
{
	cleanup_str struct str pair = STR_INIT;

	add_pair(&pair, d, t->s);
	names_add(pairs, pair.buf, pair.len);
}

int index_set_tags(struct store *st, const struct name *n, const struct names *names, struct names *pairs,
		   struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	path_index_file(&dir, n, STORE_INDEX_NAMES);
	if (sorted_build(st, dir.buf, names, e) < 0)
		return -1;
	names_sort(pairs);
	path_index_file(&dir, n, STORE_INDEX_TAGS);
	return sorted_build(st, dir.buf, pairs, e);
}

int index_walk_tags(struct store *st, const struct name *n, const char *after,
		    int (*visit)(void *arg, const char *tag, struct err *e), void *arg, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, n, STORE_INDEX_NAMES);
	return sorted_walk(st, path.buf, after, visit, arg, e);
}

int index_add_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
		       const struct str *descriptor, bool flush, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_referrers(&path, n, subject);
	if (os_mkdirs(st->dirfd, path.buf) < 0)
		return err_sys(e, "cannot make %s", path.buf);
	path_index_referrer(&path, n, subject, d);
	flush = flush && store_flushes_index(st);
	if (store_replace(st, path.buf, descriptor->buf, descriptor->len, flush) < 0)
		return err_sys(e, "cannot write %s", path.buf);
	/* <hex>, <alg> and _referrers; index_begin made the ones above durable */
	if (flush && store_flush_above(st, path.buf, 3) < 0)
		return err_sys(e, "cannot flush the directories of %s", path.buf);
	return 0;
}

void index_remove_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT;

	path_index_referrer(&path, n, subject, d);
	fence_unlink(st, path.buf);
}

int index_referrers(struct store *st, const struct name *n, const struct digest *subject, const char *after, size_t max,
		    struct names *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_index_referrers(&path, n, subject);
	if (os_dir_page(st->dirfd, path.buf, after, max, out) == 0 || os_gone(errno))
		return 0;
	return err_sys(e, "cannot list %s", path.buf);
}

int index_read_referrer(struct store *st, const struct name *n, const struct digest *subject, const struct digest *d,
			struct str *descriptor, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int found;

	path_index_referrer(&path, n, subject, d);
	found = store_read(st, path.buf, DESCRIPTOR_MAX, descriptor);
	if (found < 0)
		return errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", path.buf);
	/* After a crash a file may be empty or full of NUL bytes. */
	return found && descriptor->len >= 2 && descriptor->buf[0] == '{' && descriptor->buf[descriptor->len - 1] == '}';
}

int index_flush(struct store *st, struct err *e)
{
	return store_flushes_index(st) && store_flush_all(st) < 0 ? err_sys(e, "cannot flush the index") : 0;
}
