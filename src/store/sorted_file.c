/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sorted_file: reading and writing the root and the leaves of a sorted set.
 *
 * Owns the format of these files. Knows nothing of when a leaf is split.
 */
#include "store/sorted_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/tree.h"
#include "store/fence.h"

#define FILE_MAX (64 * 1024 * 1024)     /* a root of so many bytes has a hundred million names below it */

void sorted_root_release(struct sorted_root *r)
{
	names_release(&r->first);
	free(r->ids);
	*r = (struct sorted_root){ 0 };
}

void sorted_leaf_path(struct str *p, const char *dir, uint64_t id)
{
	str_reset(p);
	str_addf(p, "%s/%" PRIu64, dir, id);
}

static int load(struct store *st, const char *path, struct str *out, struct err *e)
{
	int found = store_read(st, path, FILE_MAX, out);

	if (found < 0 && errno == EUCLEAN)
		return err_sys(e, "%s is not a file of an index; repair it with berth index rebuild", path);
	return found < 0 ? err_sys(e, "cannot read %s", path) : found;
}

/* Flushed even if a name was only removed: if the rename survives a crash and the data does not, the whole file is lost. */
static int save(struct store *st, const char *path, const struct str *text, struct err *e)
{
	return fence_replace(st, path, text->buf, text->len, store_flushes_index(st)) < 0 ? err_sys(e, "cannot write %s", path) : 0;
}

int sorted_corrupt(const char *dir, struct err *e)
{
	errno = EUCLEAN;
	return err_sys(e, "the index in %s is corrupt; repair it with berth index rebuild", dir);
}

/* A number that ends with a blank or a newline; *s moves past that. */
static int take_number(const char **s, uint64_t *out)
{
	size_t n = strspn(*s, "0123456789");

	if (str_parse_u64(*s, n, out) < 0 || ((*s)[n] != ' ' && (*s)[n] != '\n'))
		return -1;
	*s += n + 1;
	return 0;
}

int sorted_root_load(struct store *st, const char *dir, struct sorted_root *r, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	const char *s;
	size_t cap = 0;
	int found;

	*r = (struct sorted_root){ 0 };
	str_addf(&path, "%s/root", dir);
	found = load(st, path.buf, &text, e);
	if (found <= 0)
		return found;
	s = text.buf;
	if (take_number(&s, &r->generation) < 0 || take_number(&s, &r->next) < 0)
		return sorted_corrupt(dir, e);
	while (*s) {
		const char *end;

		if (r->first.count == cap) {
			cap = cap ? cap * 2 : 16;
			r->ids = xreallocarray(r->ids, cap, sizeof(*r->ids));
		}
		if (take_number(&s, &r->ids[r->first.count]) < 0 || !(end = strchr(s, '\n')))
			return sorted_corrupt(dir, e);
		names_add(&r->first, s, (size_t)(end - s));
		/* A walk over leaves out of order might never end. */
		if (r->first.count > 1 &&
		    strcmp(r->first.v[r->first.count - 2], r->first.v[r->first.count - 1]) >= 0)
			return sorted_corrupt(dir, e);
		s = end + 1;
	}
	return r->first.count ? 1 : sorted_corrupt(dir, e);
}

int sorted_root_generation(struct store *st, const char *dir, uint64_t *out, struct err *e)
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
	return take_number(&s, out) < 0 ? sorted_corrupt(dir, e) : 0;
}

int sorted_root_save(struct store *st, const char *dir, const struct sorted_root *r, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	size_t i;

	str_addf(&path, "%s/root", dir);
	str_addf(&text, "%" PRIu64 " %" PRIu64 "\n", r->generation, r->next);
	for (i = 0; i < r->first.count; i++)
		str_addf(&text, "%" PRIu64 " %s\n", r->ids[i], r->first.v[i]);
	return save(st, path.buf, &text, e);
}

size_t sorted_root_find(const struct sorted_root *r, const char *name)
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

/* Sorts the names and drops duplicates. As a rule there is nothing to do. */
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

/* The names of leaf i that count. */
static void take_names(const struct str *text, const struct sorted_root *r, size_t i, struct names *out, size_t *whole)
{
	const char *beyond = i + 1 < r->first.count ? r->first.v[i + 1] : NULL, *s, *end;

	for (s = text->buf; (end = strchr(s, '\n')) != NULL; s = end + 1) {
		names_add(out, s, (size_t)(end - s));
		if (beyond && strcmp(out->v[out->count - 1], beyond) >= 0)
			free(out->v[--out->count]);
	}
	*whole = s == text->buf + text->len ? text->len : 0;
	put_in_order(out);
}

int sorted_leaf_load(struct store *st, const char *dir, const struct sorted_root *r, size_t i, struct names *out,
		     size_t *whole, struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	int found;

	sorted_leaf_path(&path, dir, r->ids[i]);
	found = load(st, path.buf, &text, e);
	if (found == 1)
		take_names(&text, r, i, out, whole);
	return found;
}

int sorted_leaf_load_to_add(struct store *st, const char *dir, const struct sorted_root *r, size_t i, struct names *out, size_t *whole, int *fd,
			    struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	struct stat sb;

	sorted_leaf_path(&path, dir, r->ids[i]);
	*fd = os_open_look(st->dirfd, path.buf, O_RDWR | O_APPEND, &sb);
	/* One that can't be written, or is no file, is read, or refused, as by a reader. */
	if (*fd < 0 || !S_ISREG(sb.st_mode) || sb.st_size > FILE_MAX) {
		os_cleanup_fd(fd);
		*fd = -1;
		return sorted_leaf_load(st, dir, r, i, out, whole, e);
	}
	if (os_read_str(*fd, (uint64_t)sb.st_size, &text) < 0)
		return err_sys(e, "cannot read %s", path.buf);
	take_names(&text, r, i, out, whole);
	return 1;
}

int sorted_leaf_append(struct store *st, const char *dir, int fd, size_t size, const char *name, struct err *e)
{
	cleanup_str struct str line = STR_INIT;

	if (fd < 0)
		return 0;
	str_addf(&line, "%s\n", name);
	if (os_write_full(fd, line.buf, line.len) == 0 && (!store_flushes_index(st) || store_flush_fd(st, fd) == 0))
		return 1;
	err_sys(e, "cannot write a leaf of %s", dir);
	if (ftruncate(fd, (off_t)size) < 0)     /* the next sorted_add finds half a line and rewrites the leaf */
		err_sys(e, "cannot cut a leaf of %s", dir);
	return -1;
}

int sorted_leaf_flush(struct store *st, const char *dir, uint64_t id, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;

	if (!store_flushes_index(st))
		return 0;
	sorted_leaf_path(&path, dir, id);
	fd = os_open_file(st->dirfd, path.buf, O_RDONLY, 0);
	return fd < 0 || store_flush_fd(st, fd) < 0 ? err_sys(e, "cannot flush %s", path.buf) : 0;
}

int sorted_leaf_save(struct store *st, const char *dir, uint64_t id, char *const *names, size_t count,
		     struct err *e)
{
	cleanup_str struct str path = STR_INIT, text = STR_INIT;
	size_t i;

	sorted_leaf_path(&path, dir, id);
	for (i = 0; i < count; i++) {
		str_puts(&text, names[i]);
		str_addc(&text, '\n');
	}
	return save(st, path.buf, &text, e);
}

size_t sorted_leaf_find(const struct names *leaf, const char *name, bool *there)
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

uint64_t sorted_leaf_sweep(struct store *st, const char *dir, uint64_t below)
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
		sorted_leaf_path(&path, dir, id);
		os_remove_tree(st->dirfd, path.buf);    /* it may be a directory, by mistake */
	}
	return highest;
}
