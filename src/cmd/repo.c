/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth repo: options, and what is said of repositories.
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
#include "store/repo.h"

struct call {
	const struct cmd_options *o;
	bool json;
	char **words;                   /* behind the verb, options left out */
	size_t count;
	struct name *names;             /* the same as names; owned */
};

/* What a verb does with an open store: an enum cmd_status, or -1 with *e. */
typedef int verb_work(const struct call *c, struct registry *r, struct err *e);
typedef int store_opener(const struct config *c, struct store **st, struct err *e);

static int with_store(const struct call *call, store_opener *open, verb_work *work)
{
	cleanup_config struct config *c = cmd_config(call->o);
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct registry r;
	int rc;

	if (!c)
		return CMD_USAGE;
	rc = open(c, &st, &e);
	r = (struct registry){ .st = st, .cfg = c };
	if (rc == 0)
		rc = work(call, &r, &e);
	if (rc >= 0)
		return rc;
	cmd_complain(&e);
	return CMD_FOUND;
}

static int list_one(void *arg, const struct name *n, struct err *e)
{
	const struct call *c = arg;

	(void)e;
	printf(c->json ? "{\"kind\":\"repository\",\"repository\":\"%s\"}\n" : "%s\n", n->s);
	return 0;
}

/* Read from the directories: no epoch tells whether an index holds while nobody serves. */
static int list(const struct call *c, struct registry *r, struct err *e)
{
	struct call copy = *c;

	return repo_walk(r->st, NULL, list_one, &copy, e);
}

/* One that is not there does not keep the others. */
static int rm(const struct call *c, struct registry *r, struct err *e)
{
	int status = CMD_DONE;
	size_t i;

	for (i = 0; i < c->count; i++) {
		int found = reg_repo_remove(r, &c->names[i], e);

		if (found < 0)
			return -1;
		if (found)
			continue;
		fprintf(stderr, "berth: there is no repository %s\n", c->names[i].s);
		status = CMD_FOUND;
	}
	return status;
}

static int mv(const struct call *c, struct registry *r, struct err *e)
{
	return reg_repo_move(r, &c->names[0], &c->names[1], e);
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

static int du(const struct call *c, struct registry *r, struct err *e)
{
	struct call copy = *c;
	struct du sum;

	if (reg_du(r, c->count ? c->names : NULL, c->count, tell_du, &copy, &sum, e) < 0)
		return -1;
	if (c->json)
		printf("{\"kind\":\"summary\",\"own\":%" PRIu64 ",\"own_blobs\":%" PRIu64 ",\"shared\":%" PRIu64
		       ",\"shared_blobs\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n",
		       sum.own, sum.own_blobs, sum.shared, sum.shared_blobs, sum.own + sum.shared);
	else
		printf("total: %" PRIu64 " bytes of one alone, %" PRIu64 " bytes shared, %" PRIu64 " bytes\n", sum.own,
		       sum.shared, sum.own + sum.shared);
	return CMD_DONE;
}

static const struct verb {
	const char *name;
	size_t min, max;                /* how many names */
	bool json;
	store_opener *open;
	verb_work *work;
} verbs[] = {
	{ "list", 0, 0, true, cmd_store_to_read, list },
	{ "rm", 1, SIZE_MAX, false, cmd_store_to_change, rm },
	{ "mv", 2, 2, false, cmd_store_to_change, mv },
	{ "du", 0, SIZE_MAX, true, cmd_store_to_read, du },
};

static int run_verb(const struct verb *v, struct call *c)
{
	cleanup_free struct name *names = xcalloc(c->count + 1, sizeof(*names));
	size_t i;

	if (c->count < v->min || c->count > v->max || (c->json && !v->json))
		return cmd_usage(&cmd_repo_command);
	for (i = 0; i < c->count; i++)
		if (cmd_name(&names[i], c->words[i]) < 0)
			return CMD_USAGE;
	c->names = names;
	return with_store(c, v->open, v->work);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct call c = { .o = o };
	size_t i;
	int opt;

	optind = 0;             /* a second parse in one process begins anew */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j') /* getopt has said it */
			return cmd_usage(&cmd_repo_command);
		c.json = true;
	}
	if (optind == argc)
		return cmd_usage(&cmd_repo_command);
	c.words = argv + optind + 1;
	c.count = (size_t)(argc - optind - 1);
	for (i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0)
			return run_verb(&verbs[i], &c);
	return cmd_usage(&cmd_repo_command);
}

const struct cmd cmd_repo_command = {
	.name = "repo",
	.args = "list [--json] | rm NAME... | mv OLD NEW | du [NAME...] [--json]",
	.help = "list, remove, rename and measure repositories, while the registry serves; mv is refused while a\n"
		"      collection runs, and uploads under way go with rm; those nested below NAME stay as they are",
	.run = run,
};
