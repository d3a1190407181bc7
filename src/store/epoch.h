/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_EPOCH_H
#define BERTH_STORE_EPOCH_H

/*
 * epoch: since when nobody but berth can have written the store (store.md, "Indexes").
 *
 * While no berth serves, another registry may write, and no time stamp would tell. So the first process to serve on a
 * root where none does begins a new epoch, and what an index says counts only if it was compared with the links in
 * the present one.
 */

#include <stdbool.h>
#include "base/err.h"
#include "store/store.h"

struct serving {
	int epoch_fd, online_fd;        /* -1: not held */
	bool began;                     /* nobody served before */
};

#define SERVING_INIT { -1, -1, false }

/*
 * epoch_begin - serve on a root: join the epoch of those who serve already, or begin a new one; and tell collections
 *               that somebody is there for whom they have to make room. The layout is durable afterwards; with a new epoch
 *               all that is in the store is
 * s  what the caller keeps, its children too, as long as they serve; epoch_end lets go
 * The layout is there (layout_prepare). On a read-only store there is nothing to join, and nothing held.
 */
int epoch_begin(const struct store_options *o, struct serving *s, struct err *e);
void epoch_end(struct serving *s);

#endif
