/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_ACCESS_H
#define BERTH_CMD_ACCESS_H

/* berth access: what the rules give */

#include "cmd/cmd.h"

extern const struct cmd cmd_access_command;

#endif
