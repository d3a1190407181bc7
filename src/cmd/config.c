/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth config: prints and checks the configuration, and starts nothing. Owns nothing.
 */

#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>
#include "auth/auth.h"
#include "base/str.h"

static int check(const struct config *c)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;

	if (auth_check_config(c, &warn, &msg) < 0) {
		fprintf(stderr, "%s\n", msg.buf);
		return CMD_USAGE;
	}
	if (warn.len)
		fprintf(stderr, "berth: warning: %s\n", warn.buf);
	printf("%s: ok\n", c->file ? c->file : "the defaults");
	return CMD_DONE;
}

static int show(const struct config *c)
{
	cleanup_str struct str out = STR_INIT;

	config_show(c, &out);
	fputs(out.buf, stdout);
	return CMD_DONE;
}

static int given(const struct config *c)
{
	cleanup_str struct str out = STR_INIT;

	config_given(c, &out);
	fputs(out.buf, stdout);
	return CMD_DONE;
}

static int keys(bool whole)
{
	cleanup_str struct str out = STR_INIT;

	config_keys(whole, &out);
	fputs(out.buf, stdout);
	return CMD_DONE;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_config struct config *c = NULL;
	int (*verb)(const struct config *) = NULL;

	if (argc == 2 && strcmp(argv[1], "keys") == 0)
		return keys(false);
	if (argc == 3 && strcmp(argv[1], "keys") == 0 && strcmp(argv[2], "--long") == 0)
		return keys(true);
	if (argc == 2 && strcmp(argv[1], "check") == 0)
		verb = check;
	else if (argc == 2 && strcmp(argv[1], "show") == 0)
		verb = show;
	else if (argc == 2 && strcmp(argv[1], "given") == 0)
		verb = given;
	if (!verb)
		return cmd_usage(&cmd_config_command);
	c = cmd_config(o);
	return c ? verb(c) : CMD_USAGE;
}

const struct cmd cmd_config_command = {
	.name = "config",
	.args = "check | show | given | keys [--long]",
	.help = "show the configuration, or what is wrong with it",
	.run = run,
};
