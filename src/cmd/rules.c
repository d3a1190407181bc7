/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth rules: finds the verb. Owns nothing.
 */
#include "cmd/commands.h"

#include <string.h>

#include "base/mem.h"
#include "cmd/rules_cmd.h"

static const struct {
	const char *verb;
	int (*run)(const struct cmd_options *o, int argc, char **argv);
} verbs[] = {
	{ "apply", cmd_rules_apply }, { "explain", cmd_rules_explain }, { "import", cmd_rules_import },
};

static int run(const struct cmd_options *o, int argc, char **argv)
{
	int rc = RULES_USAGE;

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].verb, argv[1]) == 0)
			rc = verbs[i].run(o, argc - 1, argv + 1);
	return rc == RULES_USAGE ? cmd_usage(&cmd_rules_command) : rc;
}

const struct cmd cmd_rules_command = {
	.name = "rules",
	.args = "apply [--dry-run] [--repo PATTERN] [--json] | explain REPOSITORY[:TAG] [--json] | import --from ecr FILE [--repo PATTERN]",
	.help = "remove the tags that no rule keeps, or show which they are; say which rules apply to a repository or a tag,\n"
		"      and why the tag stays or goes; print rules for a policy of another registry",
	.run = run,
};
