/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_GC_H
#define BERTH_CMD_GC_H

/* gc: `berth gc`, garbage collection while the registry serves. */

#include "cmd/cmd.h"

extern const struct cmd cmd_gc_command;

#endif
