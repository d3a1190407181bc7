/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_COMMANDS_H
#define BERTH_CMD_COMMANDS_H

/* commands: the subcommands of `berth`, each in the file of its name. */

#include "cmd/cmd.h"

extern const struct cmd cmd_access_command, cmd_cache_command, cmd_config_command, cmd_events_command, cmd_fsck_command, cmd_gc_command,
	cmd_hooks_command, cmd_image_command, cmd_index_command, cmd_probe_command, cmd_quota_command, cmd_ready_command, cmd_repo_command,
	cmd_rules_command, cmd_tag_command, cmd_token_command, cmd_user_command;

#endif
