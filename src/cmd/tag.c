/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth tag: parses the options, lists and removes tags; cmd/tag_undo.c restores them. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/listing.h"
#include "cmd/tag_undo.h"
#include "registry/reg_delete.h"
#include "registry/reg_rules.h"
#include "store/repo.h"
#include "store/tag.h"

struct call {
	bool json, force;
	const char *sort;               /* NULL: as the directories are */
	struct name n;
	struct tag *tags;               /* to remove */
	size_t count;
};

static int list_one(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	const struct call *c = arg;

	(void)e;
	if (c->json)
		printf("{\"kind\":\"tag\",\"repository\":\"%s\",\"tag\":\"%s\",\"digest\":\"%s\"}\n", c->n.s, t->s, d->text);
	else
		printf("%s %s\n", t->s, d->text);
	return 0;
}

static int must_exist(struct registry *r, const struct name *n, struct err *e)
{
	int exists = repo_exists(r->st, n, e);

	return exists == 0 ? err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", n->s) : exists < 0 ? -1 : 0;
}

/* Reads the directories: while no process serves, no epoch shows whether an index is current. */
static int list(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;

	if (must_exist(r, &c->n, e) < 0)
		return -1;
	return c->sort ? listing_tags(r, &c->n, c->sort, c->json, e) : tag_walk(r->st, &c->n, list_one, arg, e);
}

/* As DELETE by tag does. A tag that does not exist does not prevent the removal of the others. */
static int rm(struct registry *r, void *arg, struct err *e)
{
	static const struct precondition none = { NULL, NULL };
	const struct call *c = arg;
	int status = CMD_DONE;
	size_t i;

	r->force = c->force;
	if (must_exist(r, &c->n, e) < 0 || reg_rules_writable(r, &c->n, e) < 0)
		return -1;
	for (i = 0; i < c->count; i++) {
		cleanup_err struct err failed = ERR_INIT;
		struct ref ref = { .kind = REF_TAG, .tag = c->tags[i] };

		if (reg_delete(r, &c->n, &ref, &none, &failed) == 0)
			continue;
		if (failed.code == ERR_MANIFEST_UNKNOWN)
			fprintf(stderr, "berth: %s has no tag %s\n", c->n.s, c->tags[i].s);
		else
			cmd_complain(&failed);
		status = CMD_FOUND;
	}
	return status;
}

/* words  the repository's name, and for rm the tags */
static int run_list_or_rm(const struct cmd_options *o, bool removes, struct call *c, char **words, size_t count)
{
	cleanup_free struct tag *tags = xcalloc(count, sizeof(*tags));
	size_t i;

	c->tags = tags;
	c->count = count - 1;
	if (cmd_name(&c->n, words[0]) < 0)
		return CMD_USAGE;
	for (i = 0; i < c->count; i++)
		if (tag_parse(&tags[i], words[i + 1], strlen(words[i + 1])) < 0)
			return cmd_invalid(words[i + 1], "tag");
	return cmd_on_store(o, removes ? cmd_store_to_change : cmd_store_to_read, removes ? rm : list, c);
}

static int run_verb(const struct cmd_options *o, struct call *c, const char *verb, char **words, size_t count)
{
	bool reads = !c->force, changes = !c->json && !c->sort;

	if (c->sort && listing_tag_order(c->sort) < 0)
		return cmd_invalid(c->sort, "order of tags");
	if (count == 1 && reads && strcmp(verb, "list") == 0)
		return run_list_or_rm(o, false, c, words, count);
	if (count >= 2 && changes && strcmp(verb, "rm") == 0)
		return run_list_or_rm(o, true, c, words, count);
	if (count == 1 && reads && !c->sort && strcmp(verb, "deleted") == 0)
		return tag_undo_deleted(o, words[0], c->json);
	if (count == 1 && changes && strcmp(verb, "restore") == 0)
		return tag_undo_restore(o, words[0], c->force);
	return cmd_usage(&cmd_tag_command);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "force", no_argument, NULL, 'f' }, { "sort", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 }
	};
	struct call c = { .json = false };
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			c.json = true;
		else if (opt == 'f')
			c.force = true;
		else if (opt == 's')
			c.sort = optarg;
		else            /* getopt has printed the error */
			return cmd_usage(&cmd_tag_command);
	}
	if (argc - optind < 2)
		return cmd_usage(&cmd_tag_command);
	return run_verb(o, &c, argv[optind], argv + optind + 1, (size_t)(argc - optind - 1));
}

const struct cmd cmd_tag_command = {
	.name = "tag",
	.args = "list REPOSITORY [--sort pushed|name|version|size] [--json] | "
		"rm [--force] REPOSITORY TAG... | deleted REPOSITORY [--json] | restore [--force] REPOSITORY:TAG[@DIGEST]",
	.help = "list and remove tags, while the registry serves; manifests are not removed;\n"
		"      list what was deleted or moved within the time of the setting undo, and bring it back;\n"
		"      immutable tags, and rules that say readonly, prevent rm and restore without --force",
	.run = run,
};
