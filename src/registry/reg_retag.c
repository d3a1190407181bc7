/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_retag: pointing a tag to a manifest.
 *
 * Owns no state. Invariant: what the tag pointed to is remembered, and the index lists the new target, before the tag is set.
 * Knows nothing of HTTP or users.
 */
#include "registry/reg_retag.h"

#include "registry/reg_mark.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/tag.h"

/* What lists say of the tag from now on. If it can't be found out the tag stays in doubt there. */
static void tell_summary(struct registry *r, const struct name *n, struct reg_retag_of *of, struct summary_change *c, struct tag_row *row)
{
	struct facts_budget budget = ROW_PUSH_BUDGET;
	cleanup_err struct err ignored = ERR_INIT;
	bool known = of->facts.media_type.len > 0;

	if (!known && of->bytes)
		facts_of(r, n, of->bytes->buf, of->bytes->len, of->checked, &budget, &of->facts);
	else if (!known && facts_read(r, n, &row->digest, &budget, &of->facts, &ignored) != 1)
		return;
	reg_row_put_off(&of->facts);
	if (reg_row_count(r, n, &row->digest, row->referrers, &ignored) < 0 || reg_row_pulled(r, n, row, &ignored) < 0)
		return;
	if (r->by && r->by->user)
		str_puts(&row->by, r->by->user);
	row->facts = of->facts;
	reg_summary_tagged(c, row);
	row->facts = (struct facts)FACTS_INIT;
}

int reg_retag(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct reg_retag_of *of, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;
	cleanup_tag_row struct tag_row row = TAG_ROW_INIT;
	struct digest old;
	int found = tag_read(r->st, n, t, &old, e);
	bool moves = found == 1 && !digest_eq(&old, d);

	if (found < 0 || (moves && (reg_mark(r, n, UNDO_MOVED, t, &old, e) < 0 || reg_mark_flush(r, n, e) < 0)) ||
	    reg_summary_will_tag(r, n, t, found, &c, e) < 0 || index_add_tag(r->st, n, t, d, !found, e) < 0 ||
	    tag_set_known(r->st, n, t, d, found, &row.pushed, e) < 0)
		return -1;
	if (moves)
		index_remove_tag(r->st, n, t, &old, false);
	row.tag = *t;
	row.digest = *d;
	if (reg_summary_is_kept(&c))
		tell_summary(r, n, of, &c, &row);
	reg_summary_done(&c);
	return 0;
}

int reg_retag_event(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct event *ev,
		    struct digest *before, struct err *e)
{
	int found = t ? tag_read(r->st, n, t, before, e) : 0;

	ev->action = EVENT_PUSH;
	if (found == 1 && !digest_eq(before, d)) {
		ev->action = EVENT_MOVE;
		ev->before = before;
	}
	return found < 0 ? -1 : 0;
}
