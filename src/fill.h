/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_FILL_H
#define BERTH_FILL_H

/*
 * fill: the master's part in what nginx serves by itself (store/fallback.h): opened or closed as the configuration says,
 * and filled by a process of its own, since that looks at every manifest.
 */

#include <sys/types.h>
#include "base/err.h"
#include "conf/config.h"

/* fill_set - open or close it; at the start, when the epoch is known, and when a configuration is taken over. 0, or -1 with *e */
int fill_set(const struct config *cfg, struct err *e);

/*
 * fill_begin - begin to fill, where it is open and *pid is 0; *pid gets the process
 * in_child  what the master has to undo in a process that it has forked; called with arg, there
 */
void fill_begin(pid_t *pid, const struct config *cfg, void (*in_child)(void *arg), void *arg);

#endif
