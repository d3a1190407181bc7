/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_ERRAND_H
#define BERTH_MASTER_ERRAND_H

/* errand: work that the master does in a process of its own, since it takes long. */

#include <sys/types.h>
#include "base/err.h"
#include "conf/config.h"

struct errand {
	const char *cannot;             /* begins the log's line where there is no process for it: "cannot begin a collection" */
	const char *failed;             /* the event where it fails */
	int (*run)(const struct config *cfg, struct err *e);    /* 0, or -1 with *e, which is logged */
};

/*
 * errand_begin - the process that does it, which ends with the master; 0 where there is none, and that is logged
 * in_child  what the master has to undo in a process that it has forked; called with arg, there
 */
pid_t errand_begin(const struct errand *what, const struct config *cfg, void (*in_child)(void *arg), void *arg);

#endif
