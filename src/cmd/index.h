/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_INDEX_H
#define BERTH_CMD_INDEX_H

/* index: `berth index`, which makes the indexes again from the links; safe while the registry serves. */

#include "cmd/cmd.h"

extern const struct cmd cmd_index_command;

#endif
