/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_EVICTOR_H
#define BERTH_MASTER_EVICTOR_H

/*
 * evictor: the process that removes what the cache of other registries has too much of (doc/CACHE.md, "What is kept").
 *
 * It runs after a start and a reload, when the workers have counted more than cache.max_size, and once in a while for cache.idle.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "conf/config.h"

struct evictor {
	pid_t pid;              /* 0: it does not run */
	uint64_t due;           /* when it runs whatever was counted, by time_now_usec(); 0: never */
	uint64_t not_before;
	uint64_t busy;          /* how long it waits, since a collection is running; 0: none was */
	uint64_t max;           /* bytes; 0: no limit */
	bool fresh;             /* the configuration was read, and none has begun since */
};

/* evictor_set - the configuration was read */
void evictor_set(struct evictor *v, const struct config *cfg);

/* evictor_next - when evictor_tend() has something to look at; 0: never, or not while one is running */
uint64_t evictor_next(const struct evictor *v);

/*
 * evictor_tend - begin, if it is time and none runs
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void evictor_tend(struct evictor *v, const struct config *cfg, void (*in_child)(void *arg), void *arg);

/* evictor_reap - a process has ended: false if it was another one */
bool evictor_reap(struct evictor *v, const struct config *cfg, pid_t pid, int status);

/* evictor_stop - end it; what it has removed is removed whole */
void evictor_stop(struct evictor *v);

#endif
