/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sorted: sets of names in byte order.
 *
 * Owns the files in a set's directory: "root", whose first line is "<generation> <next leaf>" and whose other lines
 * are "<leaf> <its first name>", and the leaves, called by their numbers. The first leaf begins with nothing at all.
 * In a leaf's file what was added since it was written follows what is in order: adding is one line and one flush.
 * Invariant: the leaves that the root names hold every name of the set; a leaf may hold names from beyond its end
 * (a crash in a split leaves them), which do not count there.
 */
#include "store/sorted.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/durable.h"

#define FILE_MAX (64 * 1024 * 1024)     /* a root of so many bytes has a hundred million names below it */

struct root {
	uint64_t generation, next;      /* both 0: there is no root yet, and the set is empty */
	struct names first;             /* of each leaf: its first name */
	uint64_t *ids;                  /* its number */
};

static void root_release(struct root *r)
{
	names_release(&r->first);
	free(r->ids);
	*r = (struct root){ 0 };
}

#define cleanup_root __attribute__((cleanup(root_release)))

static void leaf_path(struct str *p, const char *dir, uint64_t id)
{
	str_reset(p);
	str_addf(p, "%s/%" PRIu64, dir, id);
}

static int load(struct store *st, const char *path, struct str *out, struct err *e)
{
	int found = store_read(st, path, FILE_MAX, out);

	if (found < 0 && errno == EUCLEAN)
		return err_sys(e, "%s is no file of an index; berth index rebuild mends it", path);
	return found < 0 ? err_sys(e, "cannot read %s", path) : found;
}

/*
 * The bytes always before the name, also where a name was only taken out: a name that comes to lie over lost bytes would
 * take all others of the file along.
 */
static int save(struct store *st, const char *path, const struct str *text, struct err *e)
{
	return store_replace(st, path, text->buf, text->len, true) < 0 ? err_sys(e, "cannot write %s", path) : 0;
}

static int damaged(const char *dir, struct err *e)
{
	errno = EUCLEAN;
	return err_sys(e, "the index in %s is damaged; berth index rebuild mends it", dir);
}

/* Numbers at the start of a line, up to a blank or the end; *s moves behind the one separator. */
static int take_number(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");

	if (str_parse_u64(*s, n, out) < 0 || ((*s)[n] != ' ' && (*s)[n] != '\n'))
		return -1;
	*s += n + 1;
	return 0;
}

static int root_load(struct store *st, const char *dir, struct root *r, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	const char *s;
	size_t cap = 0;
	int found;

	*r = (struct root){ 0 };
	str_addf(&path, "%s/root", dir);
	found = load(st, path.buf, &text, e);
	if (found <= 0)
		return found;
	s = text.buf;
	if (take_number(&s, &r->generation) < 0 || take_number(&s, &r->next) < 0)
		return damaged(dir, e);
	while (*s) {
		const char *end;

		if (r->first.count == cap) {
			cap = cap ? cap * 2 : 16;
			r->ids = xreallocarray(r->ids, cap, sizeof(*r->ids));
		}
		if (take_number(&s, &r->ids[r->first.count]) < 0 || !(end = strchr(s, '\n')))
			return damaged(dir, e);
		names_add(&r->first, s, (size_t)(end - s));
		/* A search in leaves out of order might go round in circles. */
		if (r->first.count > 1 &&
		    strcmp(r->first.v[r->first.count - 2], r->first.v[r->first.count - 1]) >= 0)
			return damaged(dir, e);
		s = end + 1;
	}
	return r->first.count ? 1 : damaged(dir, e);
}

/* Only the generation: what a reader compares. 0 where there is no root. */
static int root_generation(struct store *st, const char *dir, uint64_t *out, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	char head[48];
	const char *s = head;
	ssize_t n;

	*out = 0;
	str_addf(&path, "%s/root", dir);
	n = os_read_file(st->dirfd, path.buf, head, sizeof(head) - 1);
	if (n < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot read %s", path.buf);
	head[(size_t)n < sizeof(head) ? (size_t)n : sizeof(head) - 1] = '\0';
	return take_number(&s, out) < 0 ? damaged(dir, e) : 0;
}

static int root_save(struct store *st, const char *dir, const struct root *r, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	size_t i;

	str_addf(&path, "%s/root", dir);
	str_addf(&text, "%" PRIu64 " %" PRIu64 "\n", r->generation, r->next);
	for (i = 0; i < r->first.count; i++)
		str_addf(&text, "%" PRIu64 " %s\n", r->ids[i], r->first.v[i]);
	return save(st, path.buf, &text, e);
}

/* The leaf that a name belongs to: the last that begins with it or before it. */
static size_t root_find(const struct root *r, const char *name)
{
	size_t lo = 0, hi = r->first.count;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(r->first.v[mid], name) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* In order, each once, as they are as a rule. */
static void put_in_order(struct names *n)
{
	size_t i, kept = 0;

	for (i = 1; i < n->count && strcmp(n->v[i - 1], n->v[i]) < 0; i++)
		;
	if (i >= n->count)
		return;
	names_sort(n);
	for (i = 0; i < n->count; i++) {
		if (kept && strcmp(n->v[kept - 1], n->v[i]) == 0)
			free(n->v[i]);
		else
			n->v[kept++] = n->v[i];
	}
	n->count = kept;
}

/*
 * The names of leaf i that count; *whole: how many bytes the file has if nothing but lines is in it, else 0 (somebody's
 * write broke off, and nothing may be added behind that). 1, 0 where its file is missing, -1 with *e.
 */
static int leaf_load(struct store *st, const char *dir, const struct root *r, size_t i, struct names *out,
		     size_t *whole, struct err *e)
{
	const char *beyond = i + 1 < r->first.count ? r->first.v[i + 1] : NULL, *s, *end;
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	int found;

	leaf_path(&path, dir, r->ids[i]);
	found = load(st, path.buf, &text, e);
	if (found <= 0)
		return found;
	for (s = text.buf; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		names_add(out, s, (size_t)(end - s));
		if (beyond && strcmp(out->v[out->count - 1], beyond) >= 0)
			free(out->v[--out->count]);
	}
	*whole = s == text.buf + text.len ? text.len : 0;
	put_in_order(out);
	return 1;
}

/*
 * One more line at the end of the leaf's file of `size` bytes; whoever reads meanwhile sees it or does not. 1, 0 where the file
 * is not ours to write (somebody brought it back from a backup), -1 with *e.
 */
static int leaf_append(struct store *st, const char *dir, uint64_t id, size_t size, const char *name, struct err *e)
{
	cleanup_str struct str path = STR_INIT, line = STR_INIT;
	cleanup_fd int fd = -1;

	leaf_path(&path, dir, id);
	str_addf(&line, "%s\n", name);
	fd = os_open_file(st->dirfd, path.buf, O_WRONLY | O_APPEND, 0);
	if (fd < 0)
		return errno == EACCES || errno == EPERM ? 0 : err_sys(e, "cannot open %s", path.buf);
	if (os_write_full(fd, line.buf, line.len) == 0 && store_flush_fd(st, fd) == 0)
		return 1;
	err_sys(e, "cannot write %s", path.buf);
	if (ftruncate(fd, (off_t)size) < 0)     /* then the next one to add finds half a line, and writes all anew */
		err_sys(e, "cannot cut %s", path.buf);
	return -1;
}

/* The leaf as it stands, for a name that was found in it: who put it there may have died before its flush. */
static int leaf_flush(struct store *st, const char *dir, uint64_t id, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;

	leaf_path(&path, dir, id);
	fd = os_open_file(st->dirfd, path.buf, O_RDONLY, 0);
	return fd < 0 || store_flush_fd(st, fd) < 0 ? err_sys(e, "cannot flush %s", path.buf) : 0;
}

static int leaf_save(struct store *st, const char *dir, uint64_t id, char *const *names, size_t count,
		     struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	size_t i;

	leaf_path(&path, dir, id);
	for (i = 0; i < count; i++) {
		str_puts(&text, names[i]);
		str_addc(&text, '\n');
	}
	return save(st, path.buf, &text, e);
}

/* Where a name stands in a leaf, or would stand; *there tells which. */
static size_t place_of(const struct names *leaf, const char *name, bool *there)
{
	size_t lo = 0, hi = leaf->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(leaf->v[mid], name);

		if (c == 0) {
			*there = true;
			return mid;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*there = false;
	return lo;
}

/*
 * Leaf i has become too long: its upper half gets a leaf of its own. First that leaf, then the root that names it,
 * then the old leaf without it; a crash in between leaves names twice, and never none.
 */
static int split(struct store *st, const char *dir, struct root *r, size_t i, const struct names *leaf, struct err *e)
{
	size_t half = leaf->count / 2, j;

	if (leaf_save(st, dir, r->next, leaf->v + half, leaf->count - half, e) < 0)
		return -1;
	if (store_flush_dir(st, dir) < 0)
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
	if (root_save(st, dir, r, e) < 0)
		return -1;
	return leaf_save(st, dir, r->ids[i], leaf->v, half, e);
}

/* The set's first name: a root with one leaf. */
static int begin(struct store *st, const char *dir, const char *name, struct err *e)
{
	struct names one = NAMES_INIT;
	int rc;

	names_add(&one, name, strlen(name));
	rc = sorted_build(st, dir, &one, e);
	names_release(&one);
	return rc;
}

/* A name that is new at its place among those of leaf i: the file is written anew, or, where it has too many, two are. */
static int insert(struct store *st, const char *dir, struct root *r, size_t i, struct names *leaf, size_t at,
		  const char *name, struct err *e)
{
	char *last;

	names_add(leaf, name, strlen(name));
	last = leaf->v[leaf->count - 1];
	memmove(leaf->v + at + 1, leaf->v + at, (leaf->count - 1 - at) * sizeof(*leaf->v));
	leaf->v[at] = last;
	return leaf->count > SORTED_LEAF ? split(st, dir, r, i, leaf, e) :
					   leaf_save(st, dir, r->ids[i], leaf->v, leaf->count, e);
}

int sorted_add(struct store *st, const char *dir, const char *name, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	cleanup_str struct str path = STR_INIT;
	cleanup_root struct root r;
	size_t i, at, whole;
	bool there;
	int rc = root_load(st, dir, &r, e);

	if (rc <= 0)
		return rc < 0 ? -1 : begin(st, dir, name, e);
	i = root_find(&r, name);
	rc = leaf_load(st, dir, &r, i, &leaf, &whole, e);
	if (rc <= 0)
		return rc < 0 ? -1 : damaged(dir, e);
	at = place_of(&leaf, name, &there);
	if (there)
		rc = leaf_flush(st, dir, r.ids[i], e);
	else
		rc = whole && leaf.count < SORTED_LEAF ? leaf_append(st, dir, r.ids[i], whole, name, e) : 0;
	if (rc == 0 && !there)
		rc = insert(st, dir, &r, i, &leaf, at, name, e);
	if (rc < 0)
		return -1;
	leaf_path(&path, dir, r.ids[i]);
	/* Where a split made another one of it, flushing the directory is good for both. */
	return durable_name(st, path.buf) < 0 ? err_sys(e, "cannot flush %s", dir) : 0;
}

int sorted_remove(struct store *st, const char *dir, const char *name, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	cleanup_root struct root r;
	bool there = false;
	size_t i, at, whole;
	int rc = root_load(st, dir, &r, e);

	if (rc <= 0)
		return rc;
	i = root_find(&r, name);
	rc = leaf_load(st, dir, &r, i, &leaf, &whole, e);
	if (rc <= 0)
		return rc < 0 ? -1 : damaged(dir, e);
	at = place_of(&leaf, name, &there);
	if (!there)
		return 0;
	free(leaf.v[at]);
	memmove(leaf.v + at, leaf.v + at + 1, (leaf.count - 1 - at) * sizeof(*leaf.v));
	leaf.count--;
	return leaf_save(st, dir, r.ids[i], leaf.v, leaf.count, e);
}

/* The leaves that lie in a directory with a number below `below` go; the highest number of all comes back. */
static uint64_t sweep_leaves(struct store *st, const char *dir, uint64_t below)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_names struct names all = NAMES_INIT;
	uint64_t id, highest = 0;
	size_t i;

	if (os_dir_list(st->dirfd, dir, DIR_ALL, &all) < 0)
		return 0;
	for (i = 0; i < all.count; i++) {
		if (str_parse_u64(all.v[i], strlen(all.v[i]), &id) < 0)
			continue;
		if (id > highest)
			highest = id;
		if (id >= below)
			continue;
		leaf_path(&path, dir, id);
		os_remove_tree(st->dirfd, path.buf);    /* a directory, too, that got there by mistake */
	}
	return highest;
}

int sorted_build(struct store *st, const char *dir, const struct names *names, struct err *e)
{
	cleanup_root struct root old, r = { 0 };
	size_t per = SORTED_LEAF / 2, leaves = names->count / per + 1, i;
	cleanup_err struct err ignored = ERR_INIT;
	uint32_t random;
	uint64_t from;

	/* A damaged root is what this mends: its numbers do not matter, since those of the files are looked at. */
	if (root_load(st, dir, &old, &ignored) == 0 && names->count == 0)
		return 0;               /* no root is an empty set already */
	/* A set that was removed and begins anew must not show a reader of the old one a generation that it has seen. */
	os_random(&random, sizeof(random));
	r.generation = old.first.count ? old.generation + 1 : 1 + random;
	r.next = from = sweep_leaves(st, dir, 0) + 1;
	r.ids = xcalloc(leaves, sizeof(*r.ids));
	for (i = 0; i < leaves; i++) {
		size_t at = i * per, n = names->count - at < per ? names->count - at : per;

		if (n == 0 && i > 0)
			break;
		if (leaf_save(st, dir, r.next, n ? names->v + at : NULL, n, e) < 0)
			return -1;
		names_add(&r.first, i ? names->v[at] : "", i ? strlen(names->v[at]) : 0);
		r.ids[i] = r.next++;
	}
	if (store_flush_dir(st, dir) < 0)
		return err_sys(e, "cannot flush %s", dir);
	if (root_save(st, dir, &r, e) < 0)
		return -1;
	sweep_leaves(st, dir, from);
	return store_flush_dir(st, dir) < 0 ? err_sys(e, "cannot flush %s", dir) : 0;
}

enum step { STEP_END, STEP_NEXT, STEP_STOPPED, STEP_STALE, STEP_FAILED };

struct walk {
	struct store *st;
	const char *dir;
	int (*visit)(void *arg, const char *name, struct err *e);
	void *arg;
	struct str cursor;              /* where the walk has come to */
	bool inclusive;                 /* whether the cursor itself is still to be visited */
	int stopped;                    /* what visit returned */
};

/* The names of one leaf. Nothing of it is visited where the root is no longer what it was. */
static enum step walk_leaf(struct walk *w, const struct root *r, struct err *e)
{
	cleanup_names struct names leaf = NAMES_INIT;
	size_t i = root_find(r, w->cursor.buf), j, whole;
	uint64_t now;
	bool there;
	int found = leaf_load(w->st, w->dir, r, i, &leaf, &whole, e);

	if (found < 0 || root_generation(w->st, w->dir, &now, e) < 0)
		return STEP_FAILED;
	if (now != r->generation)
		return STEP_STALE;
	if (!found) {
		damaged(w->dir, e);
		return STEP_FAILED;
	}
	j = place_of(&leaf, w->cursor.buf, &there);
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
		cleanup_root struct root r;
		int found = root_load(st, dir, &r, e);

		step = found < 0 ? STEP_FAILED : found == 0 ? STEP_END : STEP_NEXT;
		while (step == STEP_NEXT)
			step = walk_leaf(&w, &r, e);
	} while (step == STEP_STALE);
	str_release(&w.cursor);
	return step == STEP_FAILED ? -1 : step == STEP_STOPPED ? w.stopped : 0;
}
