/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SCHEDULE_H
#define BERTH_MASTER_SCHEDULE_H

/*
 * schedule: garbage collections that the master begins by itself (setting gc.every), or because somebody has asked for one, and looks for
 * abandoned uploads alone (gc.uploads_every).
 *
 * All run in a process of their own, never at the same time. Machines that share a store need no agreement: the time since the last collection
 * counts, on whatever machine it ran, and of two that begin at once the second gives way.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "conf/config.h"

struct schedule {
	pid_t pid;              /* the running process; 0: none */
	bool uploads;           /* it looks for abandoned uploads alone */
	bool asked;             /* somebody has asked for it */
	uint64_t due;           /* when the next collection begins, by time_now_usec(); 0: never */
	uint64_t uploads_due;   /* the same for a look for abandoned uploads */
	uint64_t asked_due;     /* the same for a collection that somebody has asked for: at once */
	uint64_t begun;
};

/* schedule_set - compute when the next of both is due; at the start and after a reload */
void schedule_set(struct schedule *s, const struct config *cfg);

/*
 * schedule_ask - begin a collection as soon as none is running, on whatever machine; asking again before that changes nothing
 * While another one is running (`berth gc`, another machine) the process of this one waits for its end.
 */
void schedule_ask(struct schedule *s, const struct config *cfg);

/* schedule_due - when the next collection begins, in seconds since the epoch; 0: none is planned */
uint64_t schedule_due(const struct schedule *s);

/* schedule_next - when schedule_tend() has something to begin, by time_now_usec(); 0: never, or not while one is running */
uint64_t schedule_next(const struct schedule *s);

/*
 * schedule_tend - begin what is due, if nothing is running
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void schedule_tend(struct schedule *s, const struct config *cfg, void (*in_child)(void *arg), void *arg);

/* schedule_reap - a process has ended: false if it was another one */
bool schedule_reap(struct schedule *s, const struct config *cfg, pid_t pid, int status);

/* schedule_stop - end a running collection; it leaves nothing behind */
void schedule_stop(struct schedule *s);

#endif
