/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth quota: prints what each group uses of its quota. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "care/quotas.h"

struct call {
	bool json;
	size_t told;
};

/* In tenths of a per cent; of a quota that is exceeded more than 1000. */
static uint64_t share(const struct quota_use *u)
{
	long double of = (long double)u->used * 1000 / (long double)u->quota;

	return of > 999999 ? 999999 : (uint64_t)of;
}

static int tell(void *arg, const struct quota_use *u, struct err *e)
{
	const char *group = *u->group ? u->group : "**";
	struct call *c = arg;

	(void)e;
	if (c->json)
		printf("{\"kind\":\"quota\",\"group\":\"%s\",\"repositories\":%zu,\"used\":%" PRIu64 ",\"quota\":%" PRIu64 ",\"collectable\":%" PRIu64
		       "}\n", group, u->repositories, u->used, u->quota, u->left);
	else
		printf("%s: %" PRIu64 " of %" PRIu64 " bytes, %" PRIu64 ".%" PRIu64 " %%, %" PRIu64 " of them to be collected\n", group, u->used,
		       u->quota, share(u) / 10, share(u) % 10, u->left);
	c->told++;
	return 0;
}

static int list(struct registry *r, void *arg, struct err *e)
{
	struct call *c = arg;

	if (quotas_list(r, tell, arg, e) < 0)
		return -1;
	if (!c->told && !c->json)
		printf("no repository has a quota\n");
	return CMD_DONE;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct call c = { .json = false };
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?') /* getopt has printed the error */
			return cmd_usage(&cmd_quota_command);
		c.json = true;
	}
	if (optind + 1 != argc || strcmp(argv[optind], "list") != 0)
		return cmd_usage(&cmd_quota_command);
	return cmd_on_store(o, cmd_store_to_read, list, &c);
}

const struct cmd cmd_quota_command = {
	.name = "quota",
	.args = "list [--json]",
	.help = "print what each group of repositories uses of its quota, and how much of that can be collected",
	.run = run,
};
