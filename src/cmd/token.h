/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_TOKEN_H
#define BERTH_CMD_TOKEN_H

/* berth token: accounts of machines */

#include "cmd/cmd.h"

extern const struct cmd cmd_token_command;

#endif
