/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_USER_H
#define BERTH_CMD_USER_H

/* berth user: who may log in by password */

#include "cmd/cmd.h"

extern const struct cmd cmd_user_command;

#endif
