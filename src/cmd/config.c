/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth config: prints and checks the configuration, and starts nothing. Owns nothing.
 */

#include "cmd/commands.h"

#include <stdbool.h>
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

static bool is(const char *word, const char *verb)
{
	return strcmp(word, verb) == 0;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_config struct config *c = NULL;
	cleanup_str struct str out = STR_INIT;
	const char *verb = argc > 1 ? argv[1] : "";
	bool whole = argc == 3 && is(argv[2], "--long"), known = is(verb, "check") || is(verb, "show") || is(verb, "given");

	if (is(verb, "keys") ? argc != 2 && !whole : argc != 2 || !known)
		return cmd_usage(&cmd_config_command);
	if (known && !(c = cmd_config(o)))
		return CMD_USAGE;
	if (is(verb, "check"))
		return check(c);
	if (is(verb, "keys"))
		config_keys(whole, &out);
	else
		(is(verb, "show") ? config_show : config_given)(c, &out);
	fputs(out.buf, stdout);
	return CMD_DONE;
}

const struct cmd cmd_config_command = {
	.name = "config",
	.args = "check | show | given | keys [--long]",
	.help = "show the configuration, or what is wrong with it",
	.run = run,
};
