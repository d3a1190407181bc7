/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_tags: the links of tags.
 *
 * A tag's index/ records the manifests that it has pointed to. A tag with a corrupt link is repaired if only one manifest is on
 * record; with more than one that would be a guess.
 */
#include <string.h>
#include <sys/stat.h>

#include "care/fsck_link.h"
#include "care/fsck_work.h"
#include "os/again.h"
#include "os/file.h"
#include "store/index.h"
#include "store/link.h"
#include "store/pushed.h"
#include "store/revision.h"
#include "store/store_path.h"
#include "store/tag.h"
#include "store/touched.h"

struct look {
	struct fsck_work *w;
	const struct name *n;
	const struct tag *t;
	struct str dir;                 /* of the tag */
	bool sure;
	int wrong;
	struct digest current;          /* the manifest that the tag points to, if `points` */
	bool points;
	size_t records;                 /* index directories that name a manifest of the repository */
	struct digest record;           /* the last of those */
	const struct digest *d;         /* of the index link that is repaired */
};

static int repair_current(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	const struct look *l = arg;
	struct touched t;
	int rc;

	/* The index may have been compared while the link was corrupt: it is compared again before its next use. */
	path_tag_current(&path, l->n, l->t);
	if (fsck_clear(w, path.buf, e) < 0 || touched_begin(w->r->st, l->n, &t, e) < 0)
		return -1;
	rc = index_drop(w->r->st, l->n, e) < 0 ? -1 : tag_set(w->r->st, l->n, l->t, &l->record, e);
	touched_end(&t, l->n);
	return rc;
}

/* Lists may have a row of it that is from before the damage. */
static int repair_remove(struct fsck_work *w, const void *arg, struct err *e)
{
	const struct look *l = arg;
	struct touched t;
	int rc;

	if (touched_begin(w->r->st, l->n, &t, e) < 0)
		return -1;
	rc = index_drop(w->r->st, l->n, e) < 0 ? -1 : fsck_repair_remove(w, l->dir.buf, e);
	touched_end(&t, l->n);
	return rc;
}

static int repair_index(struct fsck_work *w, const void *arg, struct err *e)
{
	cleanup_str struct str dir = STR_INIT, link = STR_INIT;
	const struct look *l = arg;

	path_tag_index(&dir, l->dir.buf, l->d);
	path_in(&link, dir.buf, STORE_LINK);
	if (fsck_clear(w, link.buf, e) < 0 || link_ensure(w->r->st, dir.buf, l->d, e) < 0)
		return -1;
	return store_flush_above(w->r->st, dir.buf, 3) < 0 ? err_sys(e, "cannot flush the directories of %s", dir.buf) : 0;
}

static void index_fault(struct look *l, const char *where, const struct digest *d, const char *what)
{
	struct fsck_fault f = { .kind = FSCK_TAG_INDEX, .where = where, .repair = repair_index, .arg = l };

	l->wrong = 1;
	l->d = d;
	if (l->sure)
		fsck_report(l->w, &f, "%s", what);
}

static int visit_index(void *arg, const struct digest *d, const char *dir, struct err *e)
{
	struct look *l = arg;
	cleanup_names struct names none = NAMES_INIT;
	enum fsck_link_state state;
	struct digest target, content;
	int found;

	if (fsck_link_state(l->w, dir, &state, &target, e) < 0)
		return -1;
	if (state == FLINK_GONE && fsck_list(l->w, dir, &none) <= 0)
		return 0;               /* removed meanwhile, or no directory, which has been reported */
	found = revision_read(l->w->r->st, l->n, d, &content, e);
	if (found < 0)
		return -1;
	if (found) {
		l->records++;
		l->record = *d;
	}
	if (state == FLINK_EMPTY || state == FLINK_GARBAGE || state == FLINK_NONE)
		index_fault(l, dir, d, state == FLINK_EMPTY ? "its link is empty" : state == FLINK_NONE ? "has no link" :
													  "its link holds no digest");
	return 0;
}

/* Check the index directories, and that the manifest that the tag points to is among them. */
static int check_index(struct look *l, struct err *e)
{
	cleanup_str struct str dir = STR_INIT;
	struct stat sb;

	path_in(&dir, l->dir.buf, STORE_TAG_INDEX);
	if (os_fstatat(l->w->r->st->dirfd, dir.buf, &sb, 0) == 0 && fsck_link_dirs(l->w, dir.buf, visit_index, l, e) < 0)
		return -1;
	if (!l->points)
		return 0;
	path_tag_index(&dir, l->dir.buf, &l->current);
	if (os_fstatat(l->w->r->st->dirfd, dir.buf, &sb, 0) < 0)
		index_fault(l, dir.buf, &l->current, "is missing, although the tag points to that manifest");
	return 0;
}

static void report_corrupt(struct look *l, enum fsck_link_state state)
{
	struct fsck_fault f = { .kind = state == FLINK_NONE ? FSCK_TAG_BARE : FSCK_TAG_LINK, .where = l->dir.buf, .arg = l };

	l->wrong = 1;
	if (!l->sure)
		return;
	/* A directory without a link is no tag; a corrupt link without a record cannot be repaired. */
	if (state == FLINK_NONE || l->records == 0)
		f.repair = repair_remove;
	else if (l->records == 1)
		f.repair = repair_current;
	if (state == FLINK_NONE)
		fsck_report(l->w, &f, "has no current/link");
	else
		fsck_report(l->w, &f, "current/link %s; %zu manifests are on record that it may have pointed to",
			    state == FLINK_EMPTY ? "is empty" : "holds no digest", l->records);
}

static int check_current(struct look *l, struct err *e)
{
	struct fsck_fault f = { .kind = FSCK_TAG_DANGLING, .where = l->dir.buf };
	struct digest content;
	int found = revision_read(l->w->r->st, l->n, &l->current, &content, e);

	if (found != 0)
		return found < 0 ? -1 : 0;
	l->wrong = 1;
	if (l->sure)
		fsck_report(l->w, &f, "points to %s, which is no manifest of the repository", l->current.text);
	return 0;
}

static int check_tag(struct fsck_work *w, void *arg, bool sure, struct err *e)
{
	struct look *l = arg;
	cleanup_str struct str dir = STR_INIT;
	enum fsck_link_state state;
	struct stat sb;

	l->sure = sure;
	l->wrong = 0;
	l->records = 0;
	path_in(&dir, l->dir.buf, STORE_CURRENT);
	if (fsck_link_state(w, dir.buf, &state, &l->current, e) < 0)
		return -1;
	if (os_fstatat(w->r->st->dirfd, l->dir.buf, &sb, 0) < 0)
		return 0;               /* the tag is gone */
	l->points = state == FLINK_GOOD;
	if (state == FLINK_GONE)
		state = FLINK_NONE;
	if (state != FLINK_NONE && check_index(l, e) < 0)
		return -1;
	if (!l->points)
		report_corrupt(l, state);
	else if (check_current(l, e) < 0)
		return -1;
	return l->wrong;
}

/* The time of the last push; a crash may leave several. */
static bool is_pushed(struct fsck_work *w, const char *dir, const char *name)
{
	cleanup_str struct str path = STR_INIT;

	path_in(&path, dir, name);
	return pushed_is_name(name) && fsck_type(w, path.buf) == S_IFREG;
}

/* The other entries of a tag's directory. */
static bool check_beside(struct fsck_work *w, const char *dir)
{
	cleanup_names struct names names = NAMES_INIT, current = NAMES_INIT;
	cleanup_str struct str sub = STR_INIT;
	size_t i;

	if (!fsck_list(w, dir, &names))
		return false;
	for (i = 0; i < names.count; i++)
		if (strcmp(names.v[i], STORE_CURRENT) != 0 && strcmp(names.v[i], STORE_TAG_INDEX) != 0)
			fsck_stray(w, dir, names.v[i]);
	path_in(&sub, dir, STORE_CURRENT);
	if (os_dir_list(w->r->st->dirfd, sub.buf, DIR_ALL, &current) < 0)
		return true;            /* reported as a tag without link */
	for (i = 0; i < current.count; i++)
		if (strcmp(current.v[i], STORE_LINK) != 0 && !is_pushed(w, sub.buf, current.v[i]))
			fsck_stray(w, sub.buf, current.v[i]);
	return true;
}

int fsck_tags(struct fsck_work *w, const struct name *n, struct err *e)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_str struct str dir = STR_INIT;
	size_t i;

	path_tags(&dir, n);
	fsck_list(w, dir.buf, &names);
	for (i = 0; i < names.count; i++) {
		struct look l = { .w = w, .n = n, .dir = STR_INIT };
		struct tag t;
		int rc = 0;

		if (tag_parse(&t, names.v[i], strlen(names.v[i])) < 0) {
			fsck_stray(w, dir.buf, names.v[i]);
			continue;
		}
		l.t = &t;
		str_addf(&l.dir, "%s/%s", dir.buf, t.s);
		if (check_beside(w, l.dir.buf)) {
			rc = fsck_twice(w, n, check_tag, &l, e);
			w->out->tags++;
		}
		str_release(&l.dir);
		if (rc < 0)
			return -1;
	}
	return 0;
}
