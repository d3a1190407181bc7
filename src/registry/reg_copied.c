/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_copied: when a repository becomes a copy, and when it ceases to be one.
 *
 * Owns no state. Invariant: a repository where somebody has pushed a manifest is no copy before that manifest is there.
 */
#include "registry/reg_copied.h"

#include "conf/upstream.h"
#include "store/alone.h"
#include "store/mirror.h"
#include "store/revision.h"

struct looking {
	struct store *st;
	const struct name *n;
};

static int look(void *arg, const struct digest *d, struct err *e)
{
	struct looking *l = arg;

	return revision_linked(l->st, l->n, d, e);
}

static int become_copy(struct registry *r, const struct name *n, struct err *e)
{
	struct looking l = { .st = r->st, .n = n };
	int known = mirror_copied(r->st, n, e), taken;

	if (known)
		return known < 0 ? -1 : 0;
	taken = revision_walk(r->st, n, look, &l, e);
	return taken ? (taken < 0 ? -1 : 0) : mirror_copy(r->st, n, e);
}

/* Where nothing was ever mirrored that is not asked for each push. */
int reg_copied_becomes_own(struct registry *r, const struct name *n, struct err *e)
{
	int known = mirror_any(r->st) ? mirror_copied(r->st, n, e) : 0;

	if (known <= 0)
		return known;
	return alone_doubt(r->st, e) < 0 || mirror_own(r->st, n, e) < 0 ? -1 : 0;
}

int reg_copied_manifest(struct registry *r, const struct name *n, struct err *e)
{
	return upstream_of(r->cfg, n, NULL) ? become_copy(r, n, e) : reg_copied_becomes_own(r, n, e);
}
