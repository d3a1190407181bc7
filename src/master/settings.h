/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_MASTER_SETTINGS_H
#define BERTH_MASTER_SETTINGS_H

/*
 * settings: whether all masters that serve one store have the same settings.
 *
 * Several machines, or two masters on one, each have a configuration. If one of them lets clients delete, or has no
 * rules, the store is open to everybody, and nobody who reads the other configuration would know.
 */

#include <stdbool.h>
#include "conf/config.h"

/*
 * settings_compare - write the settings into the store, for the next master to compare; and for commands whether there is a journal,
 *                    and what quotas count
 * joined  others serve already: the log names each setting that differs from theirs
 * Values are kept as hashes, because rules may be secret. A failure is logged and prevents nothing.
 */
void settings_compare(const struct config *cfg, bool joined);

#endif
