/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_MOVES_H
#define BERTH_STORE_MOVES_H

/*
 * moves: telling those who keep directories of repositories open that some are being renamed (doc/STORE.md, "Several machines").
 *
 * The file berth/locks/run says it: its length grows before each move, and its owner may "execute" it as long as one goes on. So who has
 * seen that none goes on, and finds the same length later, knows that nothing was moved in between. One look at an open file is enough.
 *
 * Where the file system belongs to one machine nobody keeps such directories, and nothing is told.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "store/store.h"

struct moves {
	uint64_t count;
	bool going_on;          /* one goes on, or was killed: then until the next move, or the next collection */
};

/*
 * moves_begin - before a repository's directories are renamed, or content is moved away; moves_end - when that is over
 * fd  an open file until then; -1: nobody has to be told
 * The caller holds the collector's lock exclusively from before one until after the other. 0, or -1 with *e: then nothing may be moved
 */
int moves_begin(struct store *st, int *fd, struct err *e);
void moves_end(int *fd);
#define cleanup_moves __attribute__((cleanup(moves_end)))

/* moves_settle - whatever goes on was killed: the caller holds the collector's lock exclusively, and this file open */
void moves_settle(struct store *st, int fd);

/* moves_look - one look at that file, opened by moves_open(): 0, or -1 if it cannot be told */
int moves_open(struct store *st);
int moves_look(int fd, struct moves *out);

#endif
