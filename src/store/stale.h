/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_STALE_H
#define BERTH_STORE_STALE_H

/*
 * stale: whether this machine's client of the file system answers from a cache what another machine has changed (doc/MACHINES.md, "At the start").
 *
 * The files of other masters (store/beat.h) change every two seconds. Each is looked at twice in a row: as stat(2) looks, which a cache may
 * answer, and with AT_STATX_FORCE_SYNC, for which the client has to ask a server. No clock has a part in this.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "os/dir.h"
#include "store/machines.h"

struct stale {
	size_t others;          /* how many files there were at the last pause */
	unsigned pauses;        /* since that number has grown */
	unsigned late;          /* changes in a row that the first look did not see */
	bool known;             /* it has been found out, and told if it is so */
};

#define STALE_INIT { 0, 0, 0, false }

/*
 * stale_pause - wait for so many microseconds, and look at the files of others meanwhile, until it is known what this machine's client does
 * names  what the directory of these files has now
 * It gives up after some pauses without a change, until there are more files. A client that answers from a cache is told of in the log, once.
 */
void stale_pause(struct stale *s, const struct machine *m, const struct names *names, uint64_t usec);

#endif
