/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_STARTUP_H
#define BERTH_MASTER_STARTUP_H

/* startup: what a master does with the store before the first worker is there. */

#include "base/err.h"
#include "conf/config.h"
#include "store/epoch.h"
#include "store/store.h"

/* startup_join - begin to serve the store: its epoch, and whether others that serve it have the same settings; 0, or -1 */
int startup_join(const struct config *cfg, const struct store_options *so, struct serving *serving, struct err *e);

/*
 * startup_tidy - what a collector that was killed left, and what the last one counted
 * What fails is logged, and that other users may read the store.
 */
void startup_tidy(const struct store_options *so);

#endif
