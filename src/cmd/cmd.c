/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd: what the subcommands of `berth` have in common. Knows none of them.
 */

#include "cmd/cmd.h"

#include <stdio.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"

struct config *cmd_config(const struct cmd_options *o)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;
	cleanup_config struct config *c = config_load(o->config, environ, &warn, &msg);

	if (warn.len)
		fprintf(stderr, "berth: warning: %s\n", warn.buf);
	if (c && (!o->root || config_set_root(c, o->root, &msg) == 0))
		return STEAL(c);
	fprintf(stderr, "%s\n", msg.buf);
	return NULL;
}

int cmd_usage(const struct cmd *cmd)
{
	fprintf(stderr, "usage: berth [--config FILE] [--root DIR] %s %s\n", cmd->name, cmd->args);
	return CMD_USAGE;
}
