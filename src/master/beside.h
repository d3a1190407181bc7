/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_BESIDE_H
#define BERTH_MASTER_BESIDE_H

/*
 * beside: processes that a master has beside its workers, as long as it serves, for work that may wait for the disk:
 * AHEAD  has the disk write large bodies ahead of their end (store/writeout.h), where pushes are flushed: any `fsync` but "off"
 * BEAT   shows other machines that this one serves (store/machines.h), where there may be others
 * Neither is there with `readonly`.
 *
 * They are no workers: /metrics does not count them, and each has a name of its own. No request fails without them. One that ends by
 * itself is begun again after a second; AHEAD after a pause that grows to some minutes, while BEAT must not be away for long.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "store/machines.h"
#include "store/store.h"

enum beside_kind { BESIDE_AHEAD, BESIDE_BEAT, BESIDE_KINDS };

struct beside {
	enum beside_kind kind;
	pid_t pid;              /* the running process; 0: none */
	unsigned generation;    /* of what it was begun with */
	bool told_to_end;
	bool lost;              /* BEAT has found that this master has lost its locks, and has ended */
	uint64_t begun, pause, not_before;      /* microseconds; the first and the last by time_now_usec() */
};

/*
 * beside_tend - begin it where it has to be there, and end it where it must not, or was begun with what has another generation: AHEAD
 *               with a configuration, BEAT with a file that shows this machine
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void beside_tend(struct beside *b, const struct store_options *so, const struct machine *machine, unsigned generation,
		 void (*in_child)(void *arg), void *arg);

/* beside_next - when beside_tend() may begin it again, by time_now_usec(); 0: nothing is to be waited for */
uint64_t beside_next(const struct beside *b);

/* beside_reap - a process has ended: false if it was another one */
bool beside_reap(struct beside *b, pid_t pid, int status);

/*
 * beside_stop - end it; beside_reap() says when it has
 * beside_end  - end it, and wait for that
 */
void beside_stop(struct beside *b);
void beside_end(struct beside *b);

#endif
