/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_BELIEVED_H
#define BERTH_STORE_BELIEVED_H

/*
 * believed: whether every master that serves a store keeps what version 1.0.0 does not know of: summaries, and the log of changed
 * repositories (doc/STORE.md, "Two versions on one store").
 *
 * The mark is the text of a symbolic link: half of the epoch, and a random number. A summary has the mark under which it was written, and counts
 * as long as that is the mark. Version 1.0.0 removes the link whenever it starts, before it changes anything.
 */

#include "base/err.h"
#include "store/store.h"

#define BELIEVED_LEN STORE_EPOCH_LEN        /* characters of a mark */

/* believed_read - the mark of this epoch: 1, 0 there is none, -1 with *e */
int believed_read(struct store *st, char mark[BELIEVED_LEN + 1], struct err *e);

/*
 * believed_begin - the mark for a summary that is about to be written; it is made if there is none
 * Returns 1, 0 if a master of version 1.0.0 serves, or nobody does, or the store is read-only; -1 with *e.
 */
int believed_begin(struct store *st, char mark[BELIEVED_LEN + 1], struct err *e);

#endif
