/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_catalog: listing repositories.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_catalog.h"

#include "store/catalog.h"

struct page {
	struct names *out;
	size_t max;
	const struct repo_filter *of;
};

static int take(void *arg, const struct name *n, struct err *e)
{
	struct page *p = arg;

	(void)e;
	if (p->of && !p->of->has(p->of->arg, n))
		return 0;
	if (p->out->count == p->max)
		return 1;
	names_add(p->out, n->s, n->len);
	return 0;
}

int reg_catalog_page(struct registry *r, const char *last, size_t max, const struct repo_filter *of, struct names *out,
		     bool *more, struct err *e)
{
	struct page p = { .out = out, .max = max, .of = of };
	int rc;

	*more = false;
	if (max == 0)
		return 0;
	rc = catalog_walk(r->st, last, take, &p, e);
	*more = rc == 1;
	return rc < 0 ? -1 : 0;
}
