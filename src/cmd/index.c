/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth index: the indexes, made again from what they are derived from.
 *
 * Needed only where a disk has spoilt them: the registry itself compares them whenever it starts alone.
 */
#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>

#include "registry/reg_index.h"
#include "store/catalog.h"
#include "store/repo.h"

struct rebuild {
	struct registry *reg;
	size_t done;
};

static int rebuild_one(void *arg, const struct name *n, struct err *e)
{
	struct rebuild *rb = arg;

	rb->done++;
	return reg_index_rebuild(rb->reg, n, e);
}

static int rebuild_all(struct registry *reg, struct err *e)
{
	struct rebuild rb = { .reg = reg };

	if (catalog_rebuild(reg->st, e) < 0 || repo_walk(reg->st, NULL, rebuild_one, &rb, e) < 0)
		return -1;
	printf("the catalog and the indexes of %zu repositories are made again\n", rb.done);
	return 0;
}

static int rebuild_named(struct registry *reg, const char *text, struct err *e)
{
	struct name n;
	int found;

	if (name_parse(&n, text, strlen(text)) < 0)
		return err_set(e, ERR_NAME_INVALID, "%s is no repository's name", text);
	found = repo_exists(reg->st, &n, e);
	if (found == 0)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", text);
	if (found < 0 || reg_index_rebuild(reg, &n, e) < 0)
		return -1;
	printf("the index of %s is made again\n", n.s);
	return 0;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_config struct config *c = NULL;
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct registry reg;
	int rc;

	if (argc < 2 || argc > 3 || strcmp(argv[1], "rebuild") != 0)
		return cmd_usage(&cmd_index_command);
	c = cmd_config(o);
	if (!c)
		return CMD_USAGE;
	rc = cmd_store(c, &st, &e);
	reg = (struct registry){ .st = st, .cfg = c };
	if (rc == 0)
		rc = argc == 3 ? rebuild_named(&reg, argv[2], &e) : rebuild_all(&reg, &e);
	if (rc == 0)
		return CMD_DONE;
	cmd_complain(&e);
	return CMD_FOUND;
}

const struct cmd cmd_index_command = {
	.name = "index",
	.args = "rebuild [REPOSITORY]",
	.help = "make the indexes of tags, referrers and repositories again from the links",
	.run = run,
};
