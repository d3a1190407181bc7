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

#include "base/err.h"
#include "store/store.h"

/*
 * epoch_begin - serve on a root: join the epoch of those who serve already, or begin a new one
 * fd  gets a descriptor that the caller keeps open, its children too, as long as they serve
 * The layout is there (store_prepare). On a read-only store there is nothing to join: *fd is -1.
 */
int epoch_begin(const struct store_options *o, int *fd, struct err *e);

/* epoch_read - the present epoch; "" where there is none; out holds STORE_EPOCH_LEN + 1 bytes */
int epoch_read(int dirfd, char *out, struct err *e);

#endif
