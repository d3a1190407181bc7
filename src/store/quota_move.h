/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_MOVE_H
#define BERTH_STORE_QUOTA_MOVE_H

/*
 * quota_move: counting where a whole repository is removed, or gets another name.
 *
 * There is no intent for so many links: the tables are broken from before the first of them changes, and whole again afterwards. After a
 * kill in between they are counted anew. The caller holds the collector's lock alone; the locks of the groups are held from begin to end.
 */

#include <stdbool.h>
#include "base/err.h"
#include "base/ref.h"
#include "store/quota_hold.h"

struct quota_move {
	struct quota_hold from, to;
	struct quota_memory links;      /* of the repository */
	bool marked;                    /* the tables are broken until it is done */
};

#define QUOTA_MOVE_INIT { .from = QUOTA_HOLD_INIT, .to = QUOTA_HOLD_INIT }

/*
 * quota_move_begin - all links of `from` are about to go, or, unless `to` is NULL, to move there
 * whole  it is one rename: within one group that changes nothing
 * DENIED 403 if the group of `to` would have more than its limit.
 */
int quota_move_begin(struct quota_move *m, struct store *st, const struct name *from, const struct name *to, bool whole, struct err *e);

/* quota_move_done - it has been done, and `to` had no links before; without this the tables stay broken */
void quota_move_done(struct quota_move *m);
void quota_move_end(struct quota_move *m);
#define cleanup_quota_move __attribute__((cleanup(quota_move_end)))

#endif
