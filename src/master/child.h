/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_CHILD_H
#define BERTH_MASTER_CHILD_H

/* child: the beginning of a process that the master has beside its workers. */

#include <stdbool.h>
#include <sys/types.h>

#define CHILD_BUSY 3            /* exit status of one that found a collection running */

/*
 * child_begin - make a process, which gets SIGTERM when the master dies
 * name  what ps(1) calls it (os_name_process)
 * pid   gets its id; 0 if there is none, and the log says "cannot WHAT: ..."
 * in_child(arg)  is called in it first
 * Returns true in the new process, which must not return further.
 */
bool child_begin(pid_t *pid, const char *name, const char *what, void (*in_child)(void *arg), void *arg);

#endif
