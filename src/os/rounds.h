/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_ROUNDS_H
#define BERTH_OS_ROUNDS_H

/*
 * rounds: work that serves all processes at once, done once for all that wait for it, as a database groups its commits.
 *
 * A caller needs a round that begins after its call. One caller at a time runs a round; those that arrive meanwhile need the
 * next one, which the first of them runs for all. A process that is killed in the middle of a round has ended none: the
 * next caller runs another.
 */

#include <pthread.h>
#include <stdint.h>

struct rounds {                         /* in memory that the processes share */
	pthread_mutex_t running;        /* robust: the kernel frees it when its owner dies */
	_Atomic uint64_t begun, done;   /* numbers of rounds; rounds that failed are not done */
};

/* rounds_init - for this process and those that it forks; call it once, on zeroed memory. 0, or -1 with errno */
int rounds_init(struct rounds *r);

/*
 * rounds_join - return when a round that began after this call has been done well, by this process or by another
 * work  runs one round: 0, or -1 with errno
 * Returns 0, or -1 with the errno of a round that this process has run. It waits as long as a round takes.
 */
int rounds_join(struct rounds *r, int (*work)(void *arg), void *arg);

#endif
