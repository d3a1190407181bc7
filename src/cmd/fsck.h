/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_FSCK_H
#define BERTH_CMD_FSCK_H

/*
 * fsck: `berth fsck`, whether the store is what it ought to be, while the registry serves.
 *
 * One line a finding, "KIND WHERE: what is wrong; repaired" or "...; what to do", or with --json one object a line, and
 * a summary at the end. Exit status 0 where nothing was wrong, 1 where something was, repaired or not.
 */

#include "cmd/cmd.h"

extern const struct cmd cmd_fsck_command;

#endif
