/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SCHEDULE_H
#define BERTH_MASTER_SCHEDULE_H

/*
 * schedule: garbage collections that the master begins by itself (setting gc.every).
 *
 * A collection runs in a process of its own. Several machines that share a store need no agreement: what counts is when
 * the last collection ended, whoever did it, and of two that begin at once the second gives way.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "conf/config.h"

struct schedule {
	pid_t pid;              /* the collection that is on; 0: none */
	uint64_t due;           /* when the next one begins, as time_now_usec() tells it; 0: never */
	uint64_t begun;
};

/* schedule_set - when the next collection is due under this configuration; at the start and after a reload */
void schedule_set(struct schedule *s, const struct config *cfg);

/*
 * schedule_tend - begin a collection where one is due and none is on
 * in_child  what the master has to undo in a process that it has forked; called with arg, there
 */
void schedule_tend(struct schedule *s, const struct config *cfg, void (*in_child)(void *arg), void *arg);

/* schedule_reap - whether the child that ended with this status was the collection: it is taken note of then */
bool schedule_reap(struct schedule *s, const struct config *cfg, pid_t pid, int status);

/* schedule_stop - end a collection that is on: a killed one has lost nothing, and the next one removes what it left */
void schedule_stop(struct schedule *s);

#endif
