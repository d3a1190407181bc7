/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth repo: parses the options, and prints what it finds of repositories. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "care/du.h"
#include "care/repos.h"
#include "cmd/listing.h"
#include "store/repo.h"

struct call {
	bool json, force;
	const char *sort;               /* NULL: as the directories are */
	char **words;                   /* behind the verb, without options */
	size_t count;
	struct name *names;             /* the same words, parsed */
};

static int list_one(void *arg, const struct name *n, struct err *e)
{
	const struct call *c = arg;

	(void)e;
	printf(c->json ? "{\"kind\":\"repository\",\"repository\":\"%s\"}\n" : "%s\n", n->s);
	return 0;
}

/* Reads the directories: while no process serves, no epoch shows whether an index is current. */
static int list(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;

	return c->sort ? listing_repos(r, c->sort, c->json, e) : repo_walk(r->st, NULL, list_one, arg, e);
}

/* A name that does not exist does not prevent the removal of the others. */
static int rm(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;
	int status = CMD_DONE;
	size_t i;

	r->force = c->force;
	for (i = 0; i < c->count; i++) {
		int found = repos_remove(r, &c->names[i], e);

		if (found < 0)
			return -1;
		if (found)
			continue;
		fprintf(stderr, "berth: there is no repository %s\n", c->names[i].s);
		status = CMD_FOUND;
	}
	return status;
}

static int mv(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;

	r->force = c->force;
	return repos_move(r, &c->names[0], &c->names[1], e);
}

static int tell_du(void *arg, const struct name *n, const struct du *du, struct err *e)
{
	const struct call *c = arg;

	(void)e;
	if (c->json)
		printf("{\"kind\":\"repository\",\"repository\":\"%s\",\"own\":%" PRIu64 ",\"own_blobs\":%" PRIu64
		       ",\"shared\":%" PRIu64 ",\"shared_blobs\":%" PRIu64 "}\n",
		       n->s, du->own, du->own_blobs, du->shared, du->shared_blobs);
	else
		printf("%s: %" PRIu64 " bytes of its own, %" PRIu64 " bytes shared\n", n->s, du->own, du->shared);
	return 0;
}

static int du(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;
	struct du sum;

	if (du_count(r, c->count ? c->names : NULL, c->count, tell_du, arg, &sum, e) < 0)
		return -1;
	if (c->json)
		printf("{\"kind\":\"summary\",\"own\":%" PRIu64 ",\"own_blobs\":%" PRIu64 ",\"shared\":%" PRIu64
		       ",\"shared_blobs\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
		       sum.own, sum.own_blobs, sum.shared, sum.shared_blobs, sum.own + sum.shared);
	else
		printf("total: %" PRIu64 " bytes not shared, %" PRIu64 " bytes shared, %" PRIu64 " bytes\n", sum.own,
		       sum.shared, sum.own + sum.shared);
	return CMD_DONE;
}

static const struct verb {
	const char *name;
	size_t min, max;                /* how many names */
	bool json, force;               /* which options it has */
	cmd_open *open;
	cmd_work *work;
} verbs[] = {
	{ "list", 0, 0, true, false, cmd_store_to_read, list },
	{ "rm", 1, SIZE_MAX, false, true, cmd_store_to_change, rm },
	{ "mv", 2, 2, false, true, cmd_store_to_change, mv },
	{ "du", 0, SIZE_MAX, true, false, cmd_store_to_read, du },
};

static int run_verb(const struct cmd_options *o, const struct verb *v, struct call *c)
{
	cleanup_free struct name *names = xcalloc(c->count + 1, sizeof(*names));
	size_t i;

	if (c->count < v->min || c->count > v->max || (c->json && !v->json) || (c->force && !v->force) || (c->sort && v->work != list))
		return cmd_usage(&cmd_repo_command);
	if (c->sort && listing_repo_order(c->sort) < 0)
		return cmd_invalid(c->sort, "order of repositories");
	for (i = 0; i < c->count; i++)
		if (cmd_name(&names[i], c->words[i]) < 0)
			return CMD_USAGE;
	c->names = names;
	return cmd_on_store(o, v->open, v->work, c);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "force", no_argument, NULL, 'f' }, { "sort", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	struct call c = { .json = false };
	size_t i;
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == '?') /* getopt has printed the error */
			return cmd_usage(&cmd_repo_command);
		if (opt == 's')
			c.sort = optarg;
		else
			*(opt == 'j' ? &c.json : &c.force) = true;
	}
	if (optind == argc)
		return cmd_usage(&cmd_repo_command);
	c.words = argv + optind + 1;
	c.count = (size_t)(argc - optind - 1);
	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0)
			return run_verb(o, &verbs[i], &c);
	return cmd_usage(&cmd_repo_command);
}

const struct cmd cmd_repo_command = {
	.name = "repo",
	.args = "list [--sort name|pushed|size|tags] [--json] | rm [--force] NAME... | mv [--force] OLD NEW | du [NAME...] [--json]",
	.help = "list, remove, rename and measure repositories, while the registry serves; rm also removes\n"
		"      uploads in progress, mv is refused while a collection runs, and repositories nested below NAME do not change;\n"
		"      immutable tags, and rules that say readonly, prevent rm and mv without --force",
	.run = run,
};
