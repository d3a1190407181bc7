/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth config: prints and checks the configuration, and starts nothing. Owns nothing.
 */

#include "cmd/commands.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "auth/auth.h"
#include "base/mem.h"
#include "base/str.h"
#include "conf/rules.h"

/* try_file - a line in msg if this process may not read the file; "": there is none */
static void try_file(const char *file, struct str *msg)
{
	if (*file && access(file, R_OK) < 0)
		str_addf(msg, "%s%s: cannot read: %s", msg->len ? "\n" : "", file, strerror(errno));
}

/* try_files - the same for files that are separated by commas */
static void try_files(const char *files, struct str *msg)
{
	while (*files) {
		size_t len = strcspn(files, ",");
		cleanup_free char *file = xstrndup(files, len);

		try_file(file, msg);
		files += len + (files[len] == ',');
	}
}

static int check(const struct config *c)
{
	cleanup_str struct str warn = STR_INIT, msg = STR_INIT;

	try_file(c->tls.certificate, &msg);
	try_file(c->tls.key, &msg);
	try_files(c->tls.client_authorities, &msg);
	config_check_files(c, &msg);
	if (auth_check_config(c, &warn, &msg) < 0 || msg.len) {
		fprintf(stderr, "%s\n", msg.buf);
		return CMD_USAGE;
	}
	rules_check(c, &warn);
	for (const char *line = warn.buf, *end; *line; line = *end ? end + 1 : end) {
		end = strchrnul(line, '\n');
		fprintf(stderr, "berth: warning: %.*s\n", (int)(end - line), line);
	}
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
	bool whole = argc == 3 && is(verb, "keys") && is(argv[2], "--long");
	bool origin = argc == 3 && is(verb, "show") && is(argv[2], "--origin");
	bool known = is(verb, "check") || is(verb, "show") || is(verb, "given"), tables = is(verb, "keys") || is(verb, "moved");

	if ((!known && !tables) || (argc != 2 && !whole && !origin))
		return cmd_usage(&cmd_config_command);
	if (known && !(c = cmd_config(o)))
		return CMD_USAGE;
	if (is(verb, "check"))
		return check(c);
	if (is(verb, "keys"))
		config_keys(whole, &out);
	else if (is(verb, "moved"))
		config_moved(&out);
	else if (origin)
		config_origins(c, &out);
	else
		(is(verb, "show") ? config_show : config_given)(c, &out);
	fputs(out.buf, stdout);
	return CMD_DONE;
}

const struct cmd cmd_config_command = {
	.name = "config",
	.args = "check | show [--origin] | given | keys [--long] | moved",
	.help = "show the configuration, or what is wrong with it",
	.run = run,
};
