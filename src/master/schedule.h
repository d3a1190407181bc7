/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SCHEDULE_H
#define BERTH_MASTER_SCHEDULE_H

/*
 * schedule: garbage collections that the master begins by itself (setting gc.every).
 *
 * A collection runs in a process of its own. Machines that share a store need no agreement: the time since the last collection
 * counts, on whatever machine it ran, and of two that begin at once the second gives way.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "conf/config.h"

struct schedule {
	pid_t pid;              /* the running collection; 0: none */
	uint64_t due;           /* when the next one begins, by time_now_usec(); 0: never */
	uint64_t begun;
};

/* schedule_set - compute when the next collection is due; at the start and after a reload */
void schedule_set(struct schedule *s, const struct config *cfg);

/*
 * schedule_tend - begin a collection if one is due and none is running
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void schedule_tend(struct schedule *s, const struct config *cfg, void (*in_child)(void *arg), void *arg);

/* schedule_reap - a process has ended: false if it was not the collection */
bool schedule_reap(struct schedule *s, const struct config *cfg, pid_t pid, int status);

/* schedule_stop - end a running collection; it leaves nothing behind */
void schedule_stop(struct schedule *s);

#endif
