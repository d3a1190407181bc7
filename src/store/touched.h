/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_TOUCHED_H
#define BERTH_STORE_TOUCHED_H

/*
 * touched: which repositories have changed since the list of all of them was written (doc/STORE.md, "Indexes and epochs").
 *
 * berth/index/_touched is a log of names: "?NAME" is appended before a change of a repository's tags, "=NAME" after it. It is never written anew
 * while an epoch lasts, so its lengths are places in it, and no lock is needed. Without the file nobody lists repositories, and nothing is noted.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"
#include "store/store.h"

struct touched {
	struct store *st;
	int fd;                         /* -1: nothing is noted */
};

/*
 * touched_begin - note that a repository is about to change; touched_end - that it has
 * A failure to note the first makes the list count for nothing; if that fails, too, it is an error. 0, or -1 with *e
 */
int touched_begin(struct store *st, const struct name *n, struct touched *t, struct err *e);
void touched_end(struct touched *t, const struct name *n);
void touched_leave(struct touched *t);

/* touched_make - make the file, if there is none; *size: its length. 0, or -1 with *e */
int touched_make(struct store *st, uint64_t *size, struct err *e);

/*
 * touched_read - the names that were noted behind a place, each once and in byte order; *size: the place behind them
 * begun  gets those of them that were about to change and have not been noted again since. Returns 1, 0 if there is no such place, -1 with *e
 */
int touched_read(struct store *st, uint64_t from, struct names *all, struct names *begun, uint64_t *size, struct err *e);

/* touched_forget - remove the list of repositories that this log belongs to, so that it is written anew */
int touched_forget(struct store *st, struct err *e);

#endif
