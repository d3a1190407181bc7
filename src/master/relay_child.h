/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_RELAY_CHILD_H
#define BERTH_MASTER_RELAY_CHILD_H

/*
 * relay_child: the relay as a child of the master, and the socket on which the relay asks the workers (doc/WEBHOOKS.md, "The relay").
 *
 * berth-relay is a program of its own, found beside this one. It is started where the configuration has endpoints or upstreams, unless somebody
 * else starts it (setting `relay`, option --no-relay). The socket and its workers are there in both cases.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/str.h"
#include "conf/config.h"
#include "master/supervisor.h"
#include "os/sock.h"

#define RELAY_WORKERS 2         /* what the relay asks is answered at once */

struct relay_child {
	const struct supervisor_options *o;
	bool work;              /* the configuration has endpoints or upstreams, and there is a socket */
	bool serves;            /* it has upstreams: the relay listens for nginx at mirror.sock, beside that socket */
	bool wanted;            /* and the master starts the relay */
	int fd;                 /* the listening socket; -1: there is none */
	struct sock own;        /* the same, if it is made here, and the path of any */
	struct str path;
	pid_t pid;              /* of the running relay; 0: none */
	bool ending;            /* it was told to end */
	unsigned deaths;        /* soon after its start, in a row */
	uint64_t begun;
	uint64_t not_before;    /* when it may be started again, by time_now_usec() */
};

#define RELAY_CHILD_INIT { .fd = -1, .own = SOCK_INIT, .path = STR_INIT }

/* relay_child_init - before anything else; o is borrowed until relay_child_release() */
void relay_child_init(struct relay_child *r, const struct supervisor_options *o);
void relay_child_release(struct relay_child *r);

/*
 * relay_child_set    - decide by a configuration, at the start and after a reload; makes the socket when it is needed for the first time
 *                      A failure is logged, and then nothing is delivered.
 * relay_child_reload - after relay_child_set(): tell a running relay to read the configuration, or to end
 */
void relay_child_set(struct relay_child *r, const struct config *cfg);
void relay_child_reload(struct relay_child *r);

/* relay_child_next - when relay_child_tend() has something to begin, by time_now_usec(); 0: never, or not while it is running */
uint64_t relay_child_next(const struct relay_child *r);

/*
 * relay_child_tend - start the relay if it is wanted and does not run
 * in_child  gives up, in the new process, what belongs to the master alone; called with arg
 */
void relay_child_tend(struct relay_child *r, void (*in_child)(void *arg), void *arg);

/* relay_child_reap - a process has ended: false if it was another one. One that was not told to end is started again, after a growing pause */
bool relay_child_reap(struct relay_child *r, pid_t pid, int status);

/* relay_child_stop - tell it to end, for good; `at_once`: kill it */
void relay_child_stop(struct relay_child *r, bool at_once);

#endif
