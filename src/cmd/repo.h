/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_REPO_H
#define BERTH_CMD_REPO_H

/*
 * repo: `berth repo`, whole repositories, while the registry serves.
 *
 *   berth repo list [--json]           their names, in byte order
 *   berth repo rm NAME...              they are gone, uploads under way too; those nested below stay
 *   berth repo mv OLD NEW              another name; refused while a collection runs
 *   berth repo du [NAME...] [--json]   bytes of each for itself, and shared with others
 *
 * With --json one object a line.
 */

#include "cmd/cmd.h"

extern const struct cmd cmd_repo_command;

#endif
