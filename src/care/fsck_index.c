/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_index: indexes against the links that they are derived from, if the epoch says that they are current.
 *
 * An index may name too much, never too little. Faults are collected under the repository's lock, repaired by building the whole
 * index again, which acquires that lock itself, and reported after that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "care/fsck_work.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_index.h"
#include "store/catalog.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/sorted.h"
#include "store/store_path.h"
#include "store/tag.h"
#include "store/taglist.h"

struct fault {
	enum fsck_kind kind;
	char *where, *what;             /* owned */
};

struct look {
	struct fsck_work *w;
	const struct name *n;           /* NULL: the catalog */
	struct names sorted;            /* the catalog on disk */
	struct fault *v;
	size_t count, cap;
};

static void look_reset(struct look *l)
{
	size_t i;

	for (i = 0; i < l->count; i++) {
		free(l->v[i].where);
		free(l->v[i].what);
	}
	free(l->v);
	names_release(&l->sorted);
	*l = (struct look){ .w = l->w, .n = l->n, .sorted = NAMES_INIT };
}

static void add(struct look *l, enum fsck_kind kind, const char *where, const char *fmt, const char *text)
{
	cleanup_str struct str what = STR_INIT;

	if (l->count == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	str_puts(&what, fmt);
	str_puts(&what, text);
	l->v[l->count++] = (struct fault){ kind, xstrdup(where), xstrdup(what.buf) };
}

static int take_name(void *arg, const char *name, struct err *e)
{
	(void)e;
	names_add(arg, name, strlen(name));
	return 0;
}

/* A part of the index that cannot be read: the whole index is built again. 0 added, -1 with *e if it is another kind of failure. */
static int add_corrupt(struct look *l, const char *where, struct err *e)
{
	cleanup_str struct str why = STR_INIT;

	if (!fsck_concerns_one(e))
		return -1;
	err_text(e, &why);
	add(l, FSCK_INDEX_DAMAGED, where, e->sys == EUCLEAN ? "is not a sorted set" : "", e->sys == EUCLEAN ? "" : why.buf);
	err_release(e);
	return 0;
}

/* Read the set in dir: 1 read, 0 corrupt and added as a fault, -1 with *e. */
static int read_sorted(struct look *l, const char *dir, struct names *out, struct err *e)
{
	return sorted_walk(l->w->r->st, dir, "", take_name, out, e) == 0 ? 1 : add_corrupt(l, dir, e);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, *(char *const *)b);
}

static bool has(const struct names *sorted, const char *name)
{
	return sorted->count && bsearch(name, sorted->v, sorted->count, sizeof(*sorted->v), compare);
}

/* The two sets derived from tags, and the kept list of them, and whether each could be read. */
struct tag_sets {
	struct look *l;
	struct names names, pairs, list;
	bool names_read, pairs_read, listed;
	size_t tags;
};

static int look_at_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	cleanup_names struct names pair = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	struct tag_sets *s = arg;

	(void)e;
	path_index_file(&path, s->l->n, STORE_INDEX_NAMES);
	if (s->names_read && !has(&s->names, t->s))
		add(s->l, FSCK_INDEX_NAMES, path.buf, "lacks the tag ", t->s);
	path_index_file(&path, s->l->n, STORE_INDEX_TAGS);
	index_pair(d, t, &pair);
	if (s->pairs_read && !has(&s->pairs, pair.v[0]))
		add(s->l, FSCK_INDEX_TAGS, path.buf, "lacks ", pair.v[0]);
	path_index_file(&path, s->l->n, STORE_INDEX_LIST);
	if (s->listed && !has(&s->list, t->s))
		add(s->l, FSCK_INDEX_NAMES, path.buf, "lacks the tag ", t->s);
	s->tags++;
	return 0;
}

/* The kept list, if there is one that counts: readers believe it without a look at a link, so it may not name too much either. */
static int read_list(struct tag_sets *s, struct err *e)
{
	struct taglist_stamp now;
	const char *lines, *end;
	size_t len;
	int there = taglist_look(s->l->w->r->st, s->l->n, &now, e);

	s->listed = there == 1 && taglist_read(s->l->w->r->st, s->l->n, &now, &lines, &len);
	for (; s->listed && len > 0; len -= (size_t)(end + 1 - lines), lines = end + 1) {
		end = memchr(lines, '\n', len);
		if (!end)
			break;
		names_add(&s->list, lines, (size_t)(end - lines));
	}
	return there < 0 ? -1 : 0;
}

static int compare_tags(struct tag_sets *s, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	if (read_list(s, e) < 0 || tag_walk(s->l->w->r->st, s->l->n, look_at_tag, s, e) < 0)
		return -1;
	path_index_file(&path, s->l->n, STORE_INDEX_LIST);
	if (s->listed && s->list.count > s->tags)
		add(s->l, FSCK_INDEX_NAMES, path.buf, "names what is no tag", "");
	return 0;
}

static int look_at_tags(struct look *l, struct err *e)
{
	struct tag_sets s = { .l = l, .names = NAMES_INIT, .pairs = NAMES_INIT, .list = NAMES_INIT };
	cleanup_str struct str dir = STR_INIT;
	int names, pairs = 0, rc = -1;

	path_index_file(&dir, l->n, STORE_INDEX_NAMES);
	names = read_sorted(l, dir.buf, &s.names, e);
	path_index_file(&dir, l->n, STORE_INDEX_TAGS);
	if (names >= 0)
		pairs = read_sorted(l, dir.buf, &s.pairs, e);
	s.names_read = names == 1;
	s.pairs_read = pairs == 1;
	if (names >= 0 && pairs >= 0)
		rc = compare_tags(&s, e);
	names_release(&s.names);
	names_release(&s.pairs);
	names_release(&s.list);
	return rc;
}

static int look_at_revision(void *arg, const struct digest *d, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT, is = STR_INIT, says = STR_INIT, path = STR_INIT;
	struct look *l = arg;
	struct digest content, subject;
	uint64_t size;
	int found = revision_read(l->w->r->st, l->n, d, &content, e);

	if (found == 1)
		found = fsck_manifest_bytes(l->w, &content, &bytes, &size, e);
	if (found != 1)
		return found < 0 ? -1 : 0;
	if (!manifest_scan_referrer(bytes.buf, bytes.len, d, &subject, &is))
		return 0;
	path_index_referrer(&path, l->n, &subject, d);
	found = index_read_referrer(l->w->r->st, l->n, &subject, d, &says, e);
	if (found < 0)
		return add_corrupt(l, path.buf, e);
	if (found == 0)
		add(l, FSCK_INDEX_REFERRERS, path.buf, "is missing, although the manifest names that subject", "");
	else if (says.len != is.len || memcmp(says.buf, is.buf, is.len) != 0)
		add(l, FSCK_INDEX_DESCRIPTOR, path.buf, "does not match the manifest", "");
	return 0;
}

/* Without one, or with one that says something wrong of itself, the links are read; but what cannot be replaced stays. */
static void look_at_summary(struct look *l)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat sb;

	path_index_file(&path, l->n, STORE_INDEX_SUMMARY);
	fd = os_open_look(l->w->r->st->dirfd, path.buf, O_RDONLY, &sb);
	if (fd < 0 && errno != ENOENT)
		add(l, FSCK_INDEX_DAMAGED, path.buf, "cannot be read: ", strerror(errno));
	else if (fd >= 0 && !S_ISREG(sb.st_mode))
		add(l, FSCK_INDEX_DAMAGED, path.buf, "is not a file", "");
}

static void add_summary(void *arg, const char *what, const char *text)
{
	cleanup_str struct str path = STR_INIT;
	struct look *l = arg;

	path_index_file(&path, l->n, STORE_INDEX_SUMMARY);
	add(l, FSCK_INDEX_SUMMARY, path.buf, what, text);
}

static int look_at_index(struct look *l, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int current = index_current(l->w->r->st, l->n, e), blocked;

	look_reset(l);
	path_index_file(&path, l->n, STORE_INDEX_EPOCH);
	if (current < 0)
		return add_corrupt(l, path.buf, e);
	blocked = index_blocked(l->w->r->st, l->n, &path, e);
	if (blocked < 0)
		return add_corrupt(l, path.buf, e);
	if (blocked) {
		add(l, FSCK_INDEX_DAMAGED, path.buf, "is not a directory", "");
		return 0;
	}
	look_at_summary(l);
	if (current == 0)
		return 0;               /* it is compared before its next use */
	if (look_at_tags(l, e) < 0 || fsck_summary(l->w, l->n, add_summary, l, e) < 0)
		return -1;
	return revision_walk(l->w->r->st, l->n, look_at_revision, l, e);
}

/* arg: the error of the rebuild, or NULL */
static int rebuilt(struct fsck_work *w, const void *arg, struct err *e)
{
	const struct err *why = arg;

	(void)w;
	if (!why)
		return 0;
	errno = why->sys;
	return err_sys(e, "%s", why->cause[0] ? why->cause : why->detail);
}

static void report_all(struct look *l, const struct err *why)
{
	size_t i;

	for (i = 0; i < l->count; i++) {
		struct fsck_fault f = { .kind = l->v[i].kind, .where = l->v[i].where, .repair = rebuilt, .arg = why };

		fsck_report(l->w, &f, "%s", l->v[i].what);
	}
}

/* The repositories that the check has met, against the catalog. */
static int look_at_catalog(struct look *l, struct err *e)
{
	cleanup_str struct str at = STR_INIT;
	size_t i;
	int current = catalog_current(l->w->r->st, e);

	look_reset(l);
	if (current < 0)
		return add_corrupt(l, STORE_CATALOG_DIR, e);
	if (store_blocked(l->w->r->st, STORE_CATALOG_DIR, &at) == 1) {
		add(l, FSCK_INDEX_DAMAGED, at.buf, "is not a directory", "");
		return 0;
	}
	if (current == 1)
		current = read_sorted(l, STORE_CATALOG_DIR, &l->sorted, e);
	for (i = 0; current == 1 && i < l->w->repositories.count; i++) {
		const char *text = l->w->repositories.v[i];
		struct name n;
		int exists;

		if (has(&l->sorted, text) || name_parse(&n, text, strlen(text)) < 0)
			continue;
		exists = repo_exists(l->w->r->st, &n, e);
		if (exists < 0)
			return -1;
		if (exists)
			add(l, FSCK_INDEX_CATALOG, STORE_CATALOG_DIR, "lacks the repository ", text);
	}
	return current < 0 ? -1 : 0;
}

static int rebuild(struct look *l, struct err *e)
{
	return l->n ? reg_index_rebuild(l->w->r, l->n, e) : catalog_rebuild(l->w->r->st, e);
}

static int look_locked(struct look *l, struct err *e)
{
	cleanup_fd int lock = -1;
	struct store *st = l->w->r->st;

	if ((l->n ? lock_repository(st, l->n, &lock, e) : catalog_lock(st, &lock, e)) < 0)
		return -1;
	return l->n ? look_at_index(l, e) : look_at_catalog(l, e);
}

int fsck_index(struct fsck_work *w, const struct name *n, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	struct look l = { .w = w, .n = n, .sorted = NAMES_INIT };
	int rc = n ? look_at_index(&l, e) : look_at_catalog(&l, e);

	if (rc == 0 && l.count)
		rc = look_locked(&l, e);
	if (rc == 0 && l.count)
		report_all(&l, w->o->repair && rebuild(&l, &why) < 0 ? &why : NULL);
	look_reset(&l);
	return rc < 0 ? fsck_unreadable(w, e) : 0;
}
