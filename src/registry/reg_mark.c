/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_mark: what is remembered of a tag or a manifest that goes.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_mark.h"

#include "base/event.h"
#include "conf/rules.h"
#include "conf/upstream.h"
#include "store/revision.h"

uint64_t reg_mark_keep(const struct registry *r, uint64_t grace)
{
	return r->cfg->undo + grace;
}

/* A copy of another registry's can be fetched again. */
static bool remembers(const struct registry *r, const struct name *n)
{
	return r->cfg->undo && !upstream_of(r->cfg, n, NULL);
}

int reg_mark(struct registry *r, const struct name *n, enum undo_kind kind, const struct tag *t, const struct digest *d, struct err *e)
{
	if (t && rules_find(r->cfg, n, RULE_UNTAGGED))
		revision_touch(r->st, n, d);
	if (!remembers(r, n))
		return 0;
	return undo_add(r->st, n, kind, t, d, r->by && r->by->user ? r->by->user : "", reg_mark_keep(r, r->cfg->gc_grace), e);
}

int reg_mark_flush(struct registry *r, const struct name *n, struct err *e)
{
	return remembers(r, n) ? undo_flush(r->st, n, e) : 0;
}
