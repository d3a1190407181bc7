/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth: the operator's command. Parses the options before the subcommand, finds it in a table, and runs it.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "cmd/commands.h"
#include "os/process.h"

static const struct cmd *const commands[] = {
	&cmd_access_command,
	&cmd_cache_command,
	&cmd_config_command,
	&cmd_events_command,
	&cmd_fsck_command,
	&cmd_gc_command,
	&cmd_hooks_command,
	&cmd_image_command,
	&cmd_index_command,
	&cmd_probe_command,
	&cmd_quota_command,
	&cmd_ready_command,
	&cmd_repo_command,
	&cmd_rules_command,
	&cmd_tag_command,
	&cmd_token_command,
	&cmd_user_command,
};

static void help(FILE *to)
{
	fputs("usage: berth [--config FILE] [--root DIR] COMMAND ...\n"
	      "\n"
	      "  --config FILE  the configuration (default: " CONFIG_DEFAULT_FILE " if it exists)\n"
	      "  --root DIR     the store; overrides the configuration\n"
	      "  --help         this text\n"
	      "  --version      the version\n"
	      "\n"
	      "commands:\n", to);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(to, "  %s %s\n      %s\n", commands[i]->name, commands[i]->args, commands[i]->help);
	fputs("\n"
	      "Exit status: 0 done, 1 something is wrong or failed, 2 usage error.\n", to);
}

/* The status, or CMD_FOUND if the output could not be written. */
static int finish(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "berth: cannot write the output: %s\n", strerror(errno));
	return CMD_FOUND;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i]->name, argv[0]) == 0)
			return commands[i]->run(o, argc, argv);
	fprintf(stderr, "berth: unknown command \"%s\"; `berth --help` lists them\n", argv[0]);
	return CMD_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "root", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct cmd_options o = { NULL, NULL };
	int opt;

	os_write_alone();
	while ((opt = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o.config = optarg;
			break;
		case 'r':
			o.root = optarg;
			break;
		case 'h':
			help(stdout);
			return finish(CMD_DONE);
		case 'V':
			puts("berth " PACKAGE_VERSION);
			return finish(CMD_DONE);
		default:        /* getopt has printed the error */
			return CMD_USAGE;
		}
	}
	if (optind == argc) {
		help(stderr);
		return CMD_USAGE;
	}
	/* A command prints what its user has to know. A wait for a writer is not a reason for mail from a cron job. */
	log_set_level(LOG_ERROR);
	return finish(run(&o, argc - optind, argv + optind));
}
