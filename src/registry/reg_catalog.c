/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_catalog: listing repositories.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_catalog.h"

#define EXAMINED_MAX 10000      /* names examined for a page if the caller may see few of them */

struct page {
	struct names *out;
	size_t max;
};

static int add(void *arg, const struct name *n, struct err *e)
{
	struct page *p = arg;

	(void)e;
	if (p->out->count == p->max)
		return 1;
	names_add(p->out, n->s, n->len);
	return 0;
}

int reg_catalog_page(struct registry *r, const char *last, size_t max, const struct repo_filter *of, struct names *out,
		     bool *more, struct err *e)
{
	struct page p = { .out = out, .max = max };
	size_t budget = EXAMINED_MAX;
	int rc;

	*more = false;
	if (max == 0)
		return 0;
	/* At least one: the next page begins after the last name of this one, which must not be a hidden repository's. */
	rc = reg_walk(r, of, last ? last : "", &budget, 1, add, &p, e);
	*more = rc > 0;
	return rc < 0 ? -1 : 0;
}
