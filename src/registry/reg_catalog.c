/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_catalog: listing repositories.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_catalog.h"

#define LOOKS 10000     /* names that a page looks at, where the caller may see few of them */

struct page {
	struct names *out;
	size_t max;
};

static int take(void *arg, const struct name *n, struct err *e)
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
	size_t looks = LOOKS;
	int rc;

	*more = false;
	if (max == 0)
		return 0;
	/* One at least: where the next page begins is said by a name, and must not be that of a hidden one. */
	rc = reg_walk(r, of, last ? last : "", &looks, 1, take, &p, e);
	*more = rc > 0;
	return rc < 0 ? -1 : 0;
}
