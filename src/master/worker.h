/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_WORKER_H
#define BERTH_MASTER_WORKER_H

/* worker: a process that answers one request at a time from a listening socket. */

#include <stdbool.h>
#include "auth/auth.h"
#include "base/err.h"
#include "registry/registry.h"

/*
 * worker_run - accept and answer until SIGTERM
 * listen_fd  non-blocking
 * relay      the socket is the relay's
 * ready_fd   gets this process' id (an int) once requests are accepted
 *
 * A signal never interrupts a request: it is seen between two requests. Returns 0 when told to stop, -1 with *e if
 * requests can no longer be accepted.
 */
int worker_run(struct registry *reg, struct auth *auth, int listen_fd, bool relay, int ready_fd, struct err *e);

#endif
