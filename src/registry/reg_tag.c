/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_tag: listing tags.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_tag.h"

#include <string.h>

#include "store/repo.h"
#include "store/tag.h"

/* The first name greater than last, in a sorted list. */
static size_t behind(const struct names *all, const char *last)
{
	size_t lo = 0, hi = all->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (strcmp(all->v[mid], last) <= 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* A directory without a link is what a crash left of a tag, not a tag. */
static int is_tag(struct registry *r, const struct name *n, const char *s, struct err *e)
{
	struct digest d;
	struct tag t;

	return tag_parse(&t, s, strlen(s)) < 0 ? 0 : tag_read(r->st, n, &t, &d, e);
}

/* Tags of all[from...], up to max of them; 1 where one more follows. */
static int collect(struct registry *r, const struct name *n, const struct names *all, size_t from, size_t max,
		   struct names *out, struct err *e)
{
	for (; from < all->count; from++) {
		int found = is_tag(r, n, all->v[from], e);

		if (found < 0)
			return -1;
		if (!found)
			continue;
		if (out->count == max)
			return 1;
		names_add(out, all->v[from], strlen(all->v[from]));
	}
	return 0;
}

int reg_tag_page(struct registry *r, const struct name *n, const char *last, size_t max, struct names *out, bool *more,
		 bool *none, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	int rc = repo_exists(r->st, n, e);

	*more = *none = false;
	if (rc == 0)
		err_set(e, ERR_NAME_UNKNOWN, "%s", n->s);
	if (rc <= 0)
		return -1;
	if (max == 0)
		return 0;
	if (tag_names(r->st, n, &all, e) < 0)
		return -1;
	rc = collect(r, n, &all, last ? behind(&all, last) : 0, max, out, e);
	*more = rc == 1;
	if (rc == 0 && out->count == 0) {
		/* Past the end, or nothing there at all: the answers differ. */
		cleanup_names struct names any = NAMES_INIT;

		rc = collect(r, n, &all, 0, 1, &any, e);
		*none = any.count == 0;
	}
	return rc < 0 ? -1 : 0;
}
