/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SETTINGS_H
#define BERTH_MASTER_SETTINGS_H

/*
 * settings: whether those who serve one store have the same settings.
 *
 * Several machines, or two masters on one, each have a configuration. One that lets clients delete, or that knows no
 * rules, opens the store for all, and nobody who looks at the other would know.
 */

#include <stdbool.h>
#include "conf/config.h"

/*
 * settings_compare - leave in the store what the settings are, for the next who joins
 * joined  others serve already: what differs from theirs is said in the log, each setting by its name
 * What they are is kept as hashes: a rule is not everybody's to read. A failure is logged; it hinders nothing.
 */
void settings_compare(const struct config *cfg, bool joined);

#endif
