/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_STARTUP_H
#define BERTH_MASTER_STARTUP_H

/* startup: what a master does with the store before the first worker is there. */

#include "base/err.h"
#include "conf/config.h"
#include "store/epoch.h"
#include "store/store.h"

/* startup_join - join or begin the epoch, and compare the settings with those of other masters; 0, or -1 with *e */
int startup_join(const struct config *cfg, const struct store_options *so, struct serving *serving, struct err *e);

/*
 * startup_tidy - remove what a killed collector left, read what the last one counted, and warn if other users can read the store
 * A failure is logged.
 */
void startup_tidy(const struct store_options *so);

/* startup_pause - from now on this master notes no pulls, since it is read-only: leave a sign for the rules (store/pulled.h) */
void startup_pause(const struct store_options *so);

#endif
