/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth index: rebuilds the indexes from the links, while the registry serves. Owns nothing.
 *
 * Needed only if a disk has corrupted them: berth-fcgi compares them with the links when it starts as the only process on
 * the store.
 */
#include "cmd/commands.h"

#include <stdio.h>
#include <string.h>

#include "registry/reg_index.h"
#include "store/alone.h"
#include "store/catalog.h"
#include "store/mirror.h"
#include "store/repo.h"
#include "store/touched.h"

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

	/* Whoever wrote what indexes lack may also have linked what mirrors brought. */
	if (mirror_any(reg->st) && alone_doubt(reg->st, e) < 0)
		return -1;
	if (catalog_rebuild(reg->st, e) < 0 || repo_walk(reg->st, NULL, rebuild_one, &rb, e) < 0 || touched_forget(reg->st, e) < 0)
		return -1;
	printf("rebuilt the catalog and the indexes of %zu repositories\n", rb.done);
	return 0;
}

static int rebuild_named(struct registry *reg, const char *text, struct err *e)
{
	struct name n;
	int found;

	if (name_parse(&n, text, strlen(text)) < 0)
		return err_set(e, ERR_NAME_INVALID, "%s is not a valid repository name", text);
	found = repo_exists(reg->st, &n, e);
	if (found == 0)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", text);
	if (found < 0 || reg_index_rebuild(reg, &n, e) < 0)
		return -1;
	printf("rebuilt the index of %s\n", n.s);
	return 0;
}

/* arg  the name, or NULL for all repositories */
static int rebuild(struct registry *r, void *arg, struct err *e)
{
	return arg ? rebuild_named(r, arg, e) : rebuild_all(r, e);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	if (argc < 2 || argc > 3 || strcmp(argv[1], "rebuild") != 0)
		return cmd_usage(&cmd_index_command);
	return cmd_on_store(o, cmd_store, rebuild, argv[2]);
}

const struct cmd cmd_index_command = {
	.name = "index",
	.args = "rebuild [REPOSITORY]",
	.help = "rebuild the indexes of tags, referrers and repositories from the links",
	.run = run,
};
