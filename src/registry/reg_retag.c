/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_retag: pointing a tag to a manifest.
 *
 * Owns no state. Invariant: what the tag pointed to is remembered, and the index lists the new target, before the tag is set.
 * Knows nothing of HTTP or users.
 */
#include "registry/reg_retag.h"

#include "registry/reg_mark.h"
#include "store/index.h"
#include "store/tag.h"

int reg_retag(struct registry *r, const struct name *n, const struct tag *t, const struct digest *d, struct err *e)
{
	struct digest old;
	int found = tag_read(r->st, n, t, &old, e);
	bool moves = found == 1 && !digest_eq(&old, d);

	if (found < 0 || (moves && (reg_mark(r, n, UNDO_MOVED, t, &old, e) < 0 || reg_mark_flush(r, n, e) < 0)) ||
	    index_add_tag(r->st, n, t, d, !found, e) < 0 || tag_set(r->st, n, t, d, e) < 0)
		return -1;
	if (moves)
		index_remove_tag(r->st, n, t, &old, false);
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
