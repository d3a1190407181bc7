/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_tag: listing tags.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_tag.h"

#include <string.h>

#include "registry/reg_index.h"
#include "store/index.h"
#include "store/repo.h"
#include "store/tag.h"

struct page {
	struct registry *r;
	const struct name *n;
	size_t max;
	struct names *out;
	bool indexed;
};

/* Returns 1 if the page is full. A name without a link is a leftover of a crash, not a tag. */
static int add(void *arg, const char *s, struct err *e)
{
	struct page *p = arg;
	struct digest d;
	struct tag t;
	int found = tag_parse(&t, s, strlen(s)) < 0 ? 0 : tag_read(p->r->st, p->n, &t, &d, e);

	if (found <= 0)
		return found;
	if (p->out->count == p->max)
		return 1;
	names_add(p->out, s, strlen(s));
	return 0;
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

int reg_tag_page(struct registry *r, const struct name *n, const char *last, size_t max, struct names *out, bool *more,
		 bool *none, struct err *e)
{
	struct page p = { .r = r, .n = n, .max = max, .out = out };
	int rc = repo_exists(r->st, n, e), ready;

	*more = *none = false;
	if (rc == 0)
		err_set(e, ERR_NAME_UNKNOWN, "%s", n->s);
	if (rc <= 0)
		return -1;
	if (max == 0)
		return 0;
	ready = reg_index_ready(r, n, e);
	if (ready < 0)
		return -1;
	p.indexed = ready;
	rc = walk(&p, last ? last : "", e);
	*more = rc == 1;
	if (rc == 0 && out->count == 0) {
		/* "After the last tag" and "no tags at all" get different answers. */
		cleanup_names struct names any = NAMES_INIT;

		p.out = &any;
		p.max = 1;
		rc = last ? walk(&p, "", e) : 0;
		*none = any.count == 0;
	}
	return rc < 0 ? -1 : 0;
}
