/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SUPERVISOR_H
#define BERTH_MASTER_SUPERVISOR_H

/* supervisor: the master process, which keeps workers alive. */

#include <signal.h>
#include <stdbool.h>
#include "base/err.h"
#include "conf/config.h"
#include "os/sock.h"

struct supervisor_options {
	const char *config_file;        /* NULL: the default one, if it is there */
	const char *root;               /* NULL: the configuration's */
	unsigned workers;               /* 0: the configuration's */
	struct sock listen_on;          /* requests of all kinds */
	struct sock writes_on;          /* short writes, and what waits for locks; with workers of their own; .fd -1: none */
	struct sock uploads_on;         /* requests that carry a blob's bytes, with workers of their own; .fd -1: none */
	struct sock relay_on;           /* what the relay asks, with workers of its own; .fd -1: relay.sock beside listen_on, once it is needed */
	bool no_relay;                  /* somebody else starts berth-relay */
	sigset_t signals;               /* those that were blocked when this program began; its children begin with the same */
};

/*
 * supervisor_hold_signals - block SIGHUP, SIGUSR1 and SIGUSR2 until the master reads them; main calls it first
 * One that arrived before that would end the program. SIGTERM and SIGINT may end it: nothing is under way yet. Fills o->signals.
 */
void supervisor_hold_signals(struct supervisor_options *o);

/*
 * supervisor_config - read the configuration as the master does: the file, the environment, then the command line
 * Warnings go to the log. Returns an owned struct, or NULL after saying in one line what is wrong: on standard error
 * where `at_start`, else in the log.
 */
struct config *supervisor_config(const struct supervisor_options *o, bool at_start);

/*
 * supervisor_run - start the workers and stay until SIGTERM or SIGINT, then until the last has finished its request
 * cfg  owned by the supervisor from now on; SIGHUP replaces it
 *
 * Returns 0 after a stop that was asked for, -1 with *e.
 */
int supervisor_run(const struct supervisor_options *o, struct config *cfg, struct err *e);

#endif
