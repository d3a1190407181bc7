/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_AHEAD_H
#define BERTH_MASTER_AHEAD_H

/*
 * ahead: the process that has the disk write large bodies ahead of their end (store/writeout.h).
 *
 * There is one where pushes are flushed (any `fsync` but "off", and not `readonly`). It is no worker: /metrics does not count it, and its
 * name is AHEAD_NAME. Nothing fails without it. If it ends by itself it is begun again, after a pause that grows from a second
 * to some minutes.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "store/store.h"

#define AHEAD_NAME "berth-writeout"     /* of the process: at most 15 characters (os_name_process) */

struct ahead {
	pid_t pid;              /* the running process; 0: none */
	unsigned generation;    /* of the configuration that it has */
	bool told_to_end;
	uint64_t begun, pause, not_before;      /* microseconds; the first and the last by time_now_usec() */
};

/*
 * ahead_tend - begin it where it has to be there, and end it where it must not, or has another generation's configuration
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void ahead_tend(struct ahead *a, const struct store_options *so, unsigned generation, void (*in_child)(void *arg), void *arg);

/* ahead_next - when ahead_tend() may begin it again, by time_now_usec(); 0: nothing is to be waited for */
uint64_t ahead_next(const struct ahead *a);

/* ahead_reap - a process has ended: false if it was another one */
bool ahead_reap(struct ahead *a, pid_t pid, int status);

/* ahead_stop - end it; ahead_reap() says when it has */
void ahead_stop(struct ahead *a);

#endif
