/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CONFIG_H
#define BERTH_CMD_CONFIG_H

#include "cmd/cmd.h"

/*
 * berth config check   says each fault of the configuration on a line of its own, or "FILE: ok"
 * berth config show    every setting as it holds: defaults, file, environment and --root together
 * berth config given   the settings that one of those gives, by name
 * berth config keys    the settings that exist, their defaults and meaning
 */
extern const struct cmd cmd_config_command;

#endif
