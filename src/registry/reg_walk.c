/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_walk: a walk over ranges of repository names.
 *
 * Owns no state. Knows nothing of HTTP, and nothing of users but their patterns.
 *
 * A range is a prefix followed by a star, or a single name.
 */
#include "registry/reg_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/pattern.h"
#include "base/str.h"
#include "store/catalog.h"
#include "store/repo.h"

#define RANGE_LEFT 3            /* internal, in addition to the results of reg_walk(): the end of the range */

struct walk {
	struct registry *r;
	const struct repo_filter *of;
	size_t *budget;
	size_t least, visited;
	const char *head;       /* the prefix of the range: borrowed, not NUL-terminated */
	size_t head_len;
	int (*visit)(void *arg, const struct name *n, struct err *e);
	void *arg;
};

void repo_filter_release(struct repo_filter *of)
{
	names_release(&of->patterns);
}

/* The patterns, which are few, come first: has() may try all rules of the configuration. */
static bool passes(const struct repo_filter *of, const struct name *n)
{
	for (size_t i = 0; i < of->patterns.count; i++)
		if (pattern_match(of->patterns.v[i], n->s, n->len))
			return of->has(of->arg, n);
	return false;
}

static int examine(struct walk *w, const struct name *n, struct err *e)
{
	int exists;

	if (*w->budget == 0 && w->visited >= w->least)
		return REG_WALK_LIMIT;
	*w->budget -= *w->budget > 0;
	/* Rights first: that costs no system call. */
	if (w->of && !passes(w->of, n))
		return 0;
	exists = repo_exists(w->r->st, n, e);
	if (exists <= 0)
		return exists;
	w->visited++;
	return w->visit(w->arg, n, e);
}

static int examine_in_range(void *arg, const struct name *n, struct err *e)
{
	struct walk *w = arg;

	if (n->len < w->head_len || memcmp(n->s, w->head, w->head_len) != 0)
		return RANGE_LEFT;
	return examine(w, n, e);
}

/* The names of one range that are greater than `after`. */
static int walk_range(struct walk *w, const char *range, const char *after, struct err *e)
{
	cleanup_str struct str head = STR_INIT;
	struct name n;
	int rc = 0;

	w->head = range;
	w->head_len = pattern_head(range);
	str_add(&head, range, w->head_len);
	if (strcmp(after, head.buf) < 0) {
		/* The prefix may itself be a name, and catalog_walk gives only names after it. */
		if (name_parse(&n, head.buf, head.len) == 0)
			rc = examine(w, &n, e);
		after = head.buf;
	} else if (strncmp(after, head.buf, head.len) != 0) {
		return 0;               /* the whole range is before `after` */
	}
	if (rc || !range[w->head_len])
		return rc;
	rc = catalog_walk(w->r->st, after, examine_in_range, w, e);
	return rc == RANGE_LEFT ? 0 : rc;
}

static bool covers(const char *range, const char *other)
{
	size_t len = pattern_head(range);

	return range[len] ? strncmp(range, other, len) == 0 : strcmp(range, other) == 0;
}

/* The patterns' ranges in byte order; none contains another one. */
static void ranges_of(const struct repo_filter *of, struct names *out)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i;

	for (i = 0; i < of->patterns.count; i++) {
		const char *p = of->patterns.v[i];
		size_t len = pattern_head(p);

		names_add(&all, p, p[len] ? len + 1 : len);
	}
	/* '*' is less than any byte of a name: "app" sorts directly before "app*", and "app*" before all that it covers. */
	names_sort(&all);
	for (i = 0; i < all.count; i++) {
		char *last = out->count ? out->v[out->count - 1] : NULL;

		if (last && covers(last, all.v[i]))
			continue;
		if (last && covers(all.v[i], last))
			free(out->v[--out->count]);
		names_add(out, all.v[i], strlen(all.v[i]));
	}
}

int reg_walk(struct registry *r, const struct repo_filter *of, const char *after, size_t *budget, size_t least,
	     int (*visit)(void *arg, const struct name *n, struct err *e), void *arg, struct err *e)
{
	struct walk w = { .r = r, .of = of, .budget = budget, .least = least, .visit = visit, .arg = arg };
	cleanup_names struct names ranges = NAMES_INIT;
	int rc = 0;

	if (!of)
		return walk_range(&w, "*", after, e);
	ranges_of(of, &ranges);
	for (size_t i = 0; rc == 0 && i < ranges.count; i++)
		rc = walk_range(&w, ranges.v[i], after, e);
	return rc;
}
