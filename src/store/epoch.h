/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_EPOCH_H
#define BERTH_STORE_EPOCH_H

/*
 * epoch: the time since which only berth writes to the store (doc/STORE.md, "Indexes and epochs").
 *
 * While no berth serves, another registry may write, and no time stamp would reveal it. So the first process that serves a
 * root begins a new epoch, and an index counts only if it was compared with the links in the current epoch.
 */

#include <stdbool.h>
#include "base/err.h"
#include "store/store.h"

struct serving {
	int epoch_fd, online_fd;        /* -1: not held */
	bool began;                     /* no other process served */
};

#define SERVING_INIT { -1, -1, false }

/*
 * epoch_begin - begin to serve a root: join the epoch of the processes that serve it, or begin a new one; from now on
 *               collections give way to requests. When it returns the layout is durable; if the epoch is new, so is all of
 *               the store's content.
 * s  the caller and its children keep it open as long as they serve; epoch_end releases it
 * layout_prepare has been called, and machines_watch() where there may be other machines. With a read-only store this does nothing, and s
 * holds nothing.
 */
int epoch_begin(const struct store_options *o, struct serving *s, struct err *e);
void epoch_end(struct serving *s);

/*
 * epoch_stamped - whether the file at path, the stamp of an index, holds the current epoch: 1, 0, or -1 with *e
 * epoch_stamp   - write the current epoch there, if there is one. Not flushed: if it is lost, the index is compared again
 */
int epoch_stamped(struct store *st, const char *path, struct err *e);
int epoch_stamp(struct store *st, const char *path, struct err *e);

#endif
