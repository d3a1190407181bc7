/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sorted: sets of names in byte order.
 *
 * Owns the files in a set's directory; sorted_file.h describes them. Adding a name is one line and one flush.
 * Invariant: the leaves that the root names hold every name of the set. A leaf may also hold names that belong to the next
 * one, left by a crash during a split; they are ignored.
 */
#include "store/sorted.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "store/durable.h"
#include "store/sorted_file.h"

static int flush_names(struct store *st, const char *dir)
{
	return store_flushes_index(st) ? store_flush_dir(st, dir) : 0;
}

/*
 * Moves the upper half of leaf i to a new leaf. The new leaf is written first, then the root that names it, then the old
 * leaf without the moved names: after a crash in between a name may be in two leaves, but never in none.
 */
static int split(struct store *st, const char *dir, struct sorted_root *r, size_t i, const struct names *leaf, struct err *e)
{
	size_t half = leaf->count / 2, j;

	if (sorted_leaf_save(st, dir, r->next, leaf->v + half, leaf->count - half, e) < 0)
		return -1;
	if (flush_names(st, dir) < 0)
		return err_sys(e, "cannot flush %s", dir);
	r->ids = xreallocarray(r->ids, r->first.count + 1, sizeof(*r->ids));
	names_add(&r->first, "", 0);
	for (j = r->first.count - 1; j > i + 1; j--) {
		char *tmp = r->first.v[j];

		r->first.v[j] = r->first.v[j - 1];
		r->first.v[j - 1] = tmp;
		r->ids[j] = r->ids[j - 1];
	}
	free(r->first.v[i + 1]);
	r->first.v[i + 1] = xstrdup(leaf->v[half]);
	r->ids[i + 1] = r->next++;
	r->generation++;
	if (sorted_root_save(st, dir, r, e) < 0)
		return -1;
	return sorted_leaf_save(st, dir, r->ids[i], leaf->v, half, e);
}

/* The set's first name: a root with one leaf. */
static int begin(struct store *st, const char *dir, const char *name, struct err *e)
{
	cleanup_names struct names one = NAMES_INIT;

	names_add(&one, name, strlen(name));
	return sorted_build(st, dir, &one, e);
}

/* Inserts a name at position `at` of leaf i, and rewrites the leaf or, if it has too many names, splits it. */
static int insert(struct store *st, const char *dir, struct sorted_root *r, size_t i, struct names *leaf, size_t at,
		  const char *name, struct err *e)
{
	char *last;

	names_add(leaf, name, strlen(name));
	last = leaf->v[leaf->count - 1];
	memmove(leaf->v + at + 1, leaf->v + at, (leaf->count - 1 - at) * sizeof(*leaf->v));
	leaf->v[at] = last;
	return leaf->count > SORTED_LEAF ? split(st, dir, r, i, leaf, e) :
					   sorted_leaf_save(st, dir, r->ids[i], leaf->v, leaf->count, e);
}

int sorted_add(struct store *st, const char *dir, const char *name, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	cleanup_sorted_root struct sorted_root r;
	cleanup_fd int fd = -1;
	size_t i, at, whole;
	bool there;
	int rc = sorted_root_load(st, dir, &r, e);

	if (rc <= 0)
		return rc < 0 ? -1 : begin(st, dir, name, e);
	i = sorted_root_find(&r, name);
	rc = sorted_leaf_load_to_add(st, dir, &r, i, &leaf, &whole, &fd, e);
	if (rc <= 0)
		return rc < 0 ? -1 : sorted_corrupt(dir, e);
	at = sorted_leaf_find(&leaf, name, &there);
	if (there)      /* the process that added it may have died before its flush */
		rc = sorted_leaf_flush(st, dir, r.ids[i], e);
	else
		rc = whole && leaf.count < SORTED_LEAF ? sorted_leaf_append(st, dir, fd, whole, name, e) : 0;
	if (rc == 0 && !there)
		rc = insert(st, dir, &r, i, &leaf, at, name, e);
	if (rc < 0)
		return -1;
	sorted_leaf_path(&path, dir, r.ids[i]);
	/* After a split, the flush of the directory covers both leaves. */
	return store_flushes_index(st) && durable_name(st, path.buf) < 0 ? err_sys(e, "cannot flush %s", dir) : 0;
}

int sorted_remove(struct store *st, const char *dir, const char *name, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	cleanup_sorted_root struct sorted_root r;
	bool there = false;
	size_t i, at, whole;
	int rc = sorted_root_load(st, dir, &r, e);

	if (rc <= 0)
		return rc;
	i = sorted_root_find(&r, name);
	rc = sorted_leaf_load(st, dir, &r, i, &leaf, &whole, e);
	if (rc <= 0)
		return rc < 0 ? -1 : sorted_corrupt(dir, e);
	at = sorted_leaf_find(&leaf, name, &there);
	if (!there)
		return 0;
	free(leaf.v[at]);
	memmove(leaf.v + at, leaf.v + at + 1, (leaf.count - 1 - at) * sizeof(*leaf.v));
	leaf.count--;
	return sorted_leaf_save(st, dir, r.ids[i], leaf.v, leaf.count, e);
}

int sorted_build(struct store *st, const char *dir, const struct names *names, struct err *e)
{
	cleanup_sorted_root struct sorted_root old, r = { 0 };
	size_t per = SORTED_LEAF / 2, leaves = names->count / per + 1, i;
	cleanup_err struct err ignored = ERR_INIT;
	uint32_t random;
	uint64_t from;

	/* The root may be corrupt, which this repairs: leaves are numbered after the files that exist. */
	if (sorted_root_load(st, dir, &old, &ignored) == 0 && names->count == 0)
		return 0;               /* without a root the set is empty already */
	/* If a set was removed and made again, a reader of the old one must not see the same generation. */
	os_random(&random, sizeof(random));
	r.generation = old.first.count ? old.generation + 1 : 1 + random;
	r.next = from = sorted_leaf_sweep(st, dir, 0) + 1;
	r.ids = xcalloc(leaves, sizeof(*r.ids));
	for (i = 0; i < leaves; i++) {
		size_t at = i * per, n = names->count - at < per ? names->count - at : per;

		if (n == 0 && i > 0)
			break;
		if (sorted_leaf_save(st, dir, r.next, n ? names->v + at : NULL, n, e) < 0)
			return -1;
		names_add(&r.first, i ? names->v[at] : "", i ? strlen(names->v[at]) : 0);
		r.ids[i] = r.next++;
	}
	if (flush_names(st, dir) < 0)
		return err_sys(e, "cannot flush %s", dir);
	if (sorted_root_save(st, dir, &r, e) < 0)
		return -1;
	sorted_leaf_sweep(st, dir, from);
	return flush_names(st, dir) < 0 ? err_sys(e, "cannot flush %s", dir) : 0;
}

enum step { STEP_END, STEP_NEXT, STEP_STOPPED, STEP_STALE, STEP_FAILED };

struct walk {
	struct store *st;
	const char *dir;
	int (*visit)(void *arg, const char *name, struct err *e);
	void *arg;
	struct str cursor;              /* the next name to visit, or the last one visited */
	bool inclusive;                 /* the cursor itself is still to be visited */
	int stopped;                    /* what visit returned */
};

/* Visits the names of one leaf, unless the root has changed since it was read. */
static enum step walk_leaf(struct walk *w, const struct sorted_root *r, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	size_t i = sorted_root_find(r, w->cursor.buf), j, whole;
	uint64_t now;
	bool there;
	int found = sorted_leaf_load(w->st, w->dir, r, i, &leaf, &whole, e);

	if (found < 0 || sorted_root_generation(w->st, w->dir, &now, e) < 0)
		return STEP_FAILED;
	if (now != r->generation)
		return STEP_STALE;
	if (!found) {
		sorted_corrupt(w->dir, e);
		return STEP_FAILED;
	}
	j = sorted_leaf_find(&leaf, w->cursor.buf, &there);
	for (j += there && !w->inclusive; j < leaf.count; j++) {
		w->stopped = w->visit(w->arg, leaf.v[j], e);
		if (w->stopped)
			return STEP_STOPPED;
	}
	if (i + 1 == r->first.count)
		return STEP_END;
	str_reset(&w->cursor);
	str_puts(&w->cursor, r->first.v[i + 1]);
	w->inclusive = true;
	return STEP_NEXT;
}

int sorted_walk(struct store *st, const char *dir, const char *after,
		int (*visit)(void *arg, const char *name, struct err *e), void *arg, struct err *e)
{
	struct walk w = { .st = st, .dir = dir, .visit = visit, .arg = arg, .cursor = STR_INIT };
	enum step step;

	str_puts(&w.cursor, after);
	do {
		cleanup_sorted_root struct sorted_root r;
		int found = sorted_root_load(st, dir, &r, e);

		step = found < 0 ? STEP_FAILED : found == 0 ? STEP_END : STEP_NEXT;
		while (step == STEP_NEXT)
			step = walk_leaf(&w, &r, e);
	} while (step == STEP_STALE);
	str_release(&w.cursor);
	return step == STEP_FAILED ? -1 : step == STEP_STOPPED ? w.stopped : 0;
}
