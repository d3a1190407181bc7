/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_tag: listing tags.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_tag.h"

#include <string.h>

#include "os/file.h"
#include "registry/reg_index.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/tag.h"
#include "store/taglist.h"

struct page {
	struct registry *r;
	const struct name *n;
	size_t max, count;              /* count: of a whole list only whether there are any */
	struct str *out;                /* the tags, with a newline after each */
	bool indexed;
};

/* Returns 1 if the page is full. */
static int put(struct page *p, const char *s, size_t len)
{
	if (p->count == p->max)
		return 1;
	str_add(p->out, s, len);
	str_addc(p->out, '\n');
	p->count++;
	return 0;
}

/* Returns 1 if the page is full. A name without a link is a leftover of a crash, not a tag. */
static int add(void *arg, const char *s, struct err *e)
{
	struct page *p = arg;
	struct digest d;
	struct tag t;
	int found = tag_parse(&t, s, strlen(s)) == 0;

	if (found)
		found = p->indexed ? tag_is_there(p->r->st, p->n, &t, e) : tag_read(p->r->st, p->n, &t, &d, e);
	return found <= 0 ? found : put(p, s, strlen(s));
}

/* Without an index the whole directory is read and sorted for each page. */
static int walk_directory(struct page *p, const char *last, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i;
	int rc = tag_names(p->r->st, p->n, &all, e);

	for (i = 0; rc == 0 && i < all.count; i++)
		if (strcmp(all.v[i], last) > 0)
			rc = add(p, all.v[i], e);
	return rc;
}

static int walk(struct page *p, const char *last, struct err *e)
{
	if (!p->indexed)
		return walk_directory(p, last, e);
	return index_walk_tags(p->r->st, p->n, last, add, p, e);
}

/* The page of a whole list. Returns 1 if more tags follow. */
static int take(struct page *p, const char *lines, size_t len, const char *last)
{
	const char *end = lines + len, *s = lines, *next;
	size_t last_len = strlen(last);

	/* A line has two bytes at least. */
	if (!last_len && len / 2 <= p->max) {
		str_add(p->out, lines, len);
		p->count = len > 0;
		return 0;
	}
	for (; s < end; s = next + 1) {
		size_t n, less;
		int c;

		next = memchr(s, '\n', (size_t)(end - s));
		if (!next)
			break;
		n = (size_t)(next - s);
		less = n < last_len ? n : last_len;
		c = memcmp(s, last, less);
		if (c < 0 || (c == 0 && n <= last_len))
			continue;
		if (put(p, s, n))
			return 1;
	}
	return 0;
}

/*
 * Keeps a list of all tags for the next readers. A change drops it under the repository's lock, so the links are looked at once more
 * under that lock. If somebody has it, or anything fails, there is no list, and the answer is right without one.
 */
static void keep(struct registry *r, const struct name *n)
{
	cleanup_str struct str all = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	struct page p = { .r = r, .n = n, .max = TAGLIST_TAGS, .out = &all, .indexed = true };
	struct taglist_stamp then;
	cleanup_fd int lock = -1;

	if (lock_repository_now(r->st, n, &lock, &ignored) == 1 && taglist_look(r->st, n, &then, &ignored) == 1 &&
	    index_current(r->st, n, &ignored) == 1 && walk(&p, "", &ignored) == 0)
		taglist_keep(r->st, n, &then, &all);
}

/* The page from the index, or without one from the directory: 1 if more tags follow, 0, -1 with *e. */
static int find(struct page *p, const char *last, const struct taglist_stamp *now, struct err *e)
{
	int rc = reg_index_ready(p->r, p->n, e);

	if (rc < 0)
		return -1;
	p->indexed = rc;
	rc = walk(p, last, e);
	if (rc == 0 && !*last && p->indexed && now->settled && p->count <= TAGLIST_TAGS)
		keep(p->r, p->n);
	return rc;
}

/* Whether the repository has any tag: "after the last one" and "no tags at all" get different answers. */
static int has_any(struct page *p, struct err *e)
{
	cleanup_str struct str any = STR_INIT;
	struct page one = *p;

	one.out = &any;
	one.max = 1;
	return walk(&one, "", e) < 0 ? -1 : one.count > 0;
}

int reg_tag_page(struct registry *r, const struct name *n, const char *last, size_t max, struct str *out, bool *more,
		 bool *none, struct err *e)
{
	struct page p = { .r = r, .n = n, .max = max, .out = out };
	struct taglist_stamp now = { .settled = false };
	const char *lines;
	size_t len;
	int rc = taglist_look(r->st, n, &now, e), any;
	bool listed = rc == 1 && taglist_read(r->st, n, &now, &lines, &len);

	*more = *none = false;
	if (rc == 0)
		rc = repo_exists(r->st, n, e);
	if (rc == 0)
		err_set(e, ERR_NAME_UNKNOWN, "%s", n->s);
	if (rc <= 0)
		return -1;
	if (max == 0)
		return 0;
	rc = listed ? take(&p, lines, len, last ? last : "") : find(&p, last ? last : "", &now, e);
	*more = rc == 1;
	if (rc == 0 && p.count == 0) {
		any = listed ? len > 0 : last ? has_any(&p, e) : 0;
		*none = any == 0;
		rc = any < 0 ? -1 : 0;
	}
	return rc < 0 ? -1 : 0;
}
