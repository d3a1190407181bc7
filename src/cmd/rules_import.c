/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth rules import: prints rules for a policy of another registry. Owns nothing.
 */
#include "cmd/rules_cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/pattern.h"
#include "base/str.h"
#include "cmd/commands.h"
#include "conf/ecr.h"

static int import(const char *file, const char *repo)
{
	cleanup_str struct str text = STR_INIT, out = STR_INIT, why = STR_INIT;

	if (cmd_read(file, ECR_TEXT_MAX, &text) < 0)
		return CMD_FOUND;
	if (ecr_import(text.buf, text.len, repo, &out, &why) < 0) {
		fprintf(stderr, "berth: %s: %s\n", file, why.buf);
		return CMD_FOUND;
	}
	fputs(out.buf, stdout);
	return CMD_DONE;
}

int cmd_rules_import(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "from", required_argument, NULL, 'f' }, { "repo", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 },
	};
	const char *from = NULL, *repo = NULL, *why;
	int opt;

	(void)o;
	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'f')
			from = optarg;
		else if (opt == 'r')
			repo = optarg;
		else            /* getopt has printed the error */
			return RULES_USAGE;
	}
	if (!from || argc != optind + 1)
		return RULES_USAGE;
	if (strcmp(from, "ecr") != 0) {
		fprintf(stderr, "berth: rules: \"ecr\" is the only registry whose policies can be imported\n");
		return CMD_USAGE;
	}
	why = repo ? pattern_fault(repo) : NULL;
	if (why) {
		fprintf(stderr, "berth: rules: --repo is not a pattern of names: it %s\n", why);
		return CMD_USAGE;
	}
	return import(argv[optind], repo);
}
