/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_RECOUNT_H
#define BERTH_MASTER_RECOUNT_H

/*
 * recount: the process that counts what quotas count, after a start and a reload, so that no push has to wait for it.
 *
 * A push that comes first counts itself, or waits for this process: nothing rests on it.
 */

#include <stdbool.h>
#include <sys/types.h>
#include "conf/config.h"

struct recount {
	pid_t pid;              /* 0: it does not run */
	bool due;
};

/* recount_set - the configuration was read: count if a rule has a quota */
void recount_set(struct recount *c, const struct config *cfg);

/*
 * recount_tend - begin, if it is due and none runs
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void recount_tend(struct recount *c, const struct config *cfg, void (*in_child)(void *arg), void *arg);

/* recount_reap - a process has ended: false if it was another one */
bool recount_reap(struct recount *c, pid_t pid);

/* recount_stop - end it; what it has counted stays */
void recount_stop(struct recount *c);

#endif
