/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth tag: options, and what is said of tags.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "registry/reg_manifest.h"
#include "store/repo.h"
#include "store/tag.h"

struct listing {
	const struct name *n;
	bool json;
};

static int list_one(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	const struct listing *l = arg;

	(void)e;
	if (l->json)
		printf("{\"kind\":\"tag\",\"repository\":\"%s\",\"tag\":\"%s\",\"digest\":\"%s\"}\n", l->n->s, t->s, d->text);
	else
		printf("%s %s\n", t->s, d->text);
	return 0;
}

static int must_exist(struct registry *r, const struct name *n, struct err *e)
{
	int exists = repo_exists(r->st, n, e);

	return exists == 0 ? err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", n->s) : exists < 0 ? -1 : 0;
}

/* Read from the directories: no epoch tells whether an index holds while nobody serves. */
static int list(struct registry *r, const struct name *n, bool json, struct err *e)
{
	struct listing l = { n, json };

	return must_exist(r, n, e) < 0 ? -1 : tag_walk(r->st, n, list_one, &l, e);
}

/* Each for itself: one that isn't there does not keep the others. */
static int rm(struct registry *r, const struct name *n, const struct tag *tags, size_t count, struct err *e)
{
	static const struct precondition none = { NULL, NULL };
	int status = CMD_DONE;
	size_t i;

	if (must_exist(r, n, e) < 0)
		return -1;
	for (i = 0; i < count; i++) {
		cleanup_err struct err failed = ERR_INIT;
		struct ref ref = { .kind = REF_TAG, .tag = tags[i] };

		if (reg_manifest_delete(r, n, &ref, &none, &failed) == 0)
			continue;
		if (failed.code == ERR_MANIFEST_UNKNOWN)
			fprintf(stderr, "berth: %s has no tag %s\n", n->s, tags[i].s);
		else
			cmd_complain(&failed);
		status = CMD_FOUND;
	}
	return status;
}

static int parse_tags(struct tag *tags, char **words, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		cleanup_str struct str shown = STR_INIT;

		if (tag_parse(&tags[i], words[i], strlen(words[i])) == 0)
			continue;
		str_add_shown(&shown, words[i], strlen(words[i]), SIZE_MAX);
		fprintf(stderr, "berth: \"%s\" is no tag\n", shown.buf);
		return -1;
	}
	return 0;
}

/* words  the repository's name, and for rm the tags */
static int run_verb(const struct cmd_options *o, bool removes, bool json, char **words, size_t count)
{
	cleanup_free struct tag *tags = xcalloc(count, sizeof(*tags));
	cleanup_config struct config *c = NULL;
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct registry r;
	struct name n;
	int rc;

	if (cmd_name(&n, words[0]) < 0 || parse_tags(tags, words + 1, count - 1) < 0)
		return CMD_USAGE;
	c = cmd_config(o);
	if (!c)
		return CMD_USAGE;
	rc = (removes ? cmd_store_to_change : cmd_store_to_read)(c, &st, &e);
	r = (struct registry){ .st = st, .cfg = c };
	if (rc == 0)
		rc = removes ? rm(&r, &n, tags, count - 1, &e) : list(&r, &n, json, &e);
	if (rc >= 0)
		return rc;
	cmd_complain(&e);
	return CMD_FOUND;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	bool json = false;
	int opt, words;

	optind = 0;             /* a second parse in one process begins anew */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j') /* getopt has said it */
			return cmd_usage(&cmd_tag_command);
		json = true;
	}
	words = argc - optind - 1;
	if (words == 1 && strcmp(argv[optind], "list") == 0)
		return run_verb(o, false, json, argv + optind + 1, 1);
	if (words >= 2 && !json && strcmp(argv[optind], "rm") == 0)
		return run_verb(o, true, false, argv + optind + 1, (size_t)words);
	return cmd_usage(&cmd_tag_command);
}

const struct cmd cmd_tag_command = {
	.name = "tag",
	.args = "list REPOSITORY [--json] | rm REPOSITORY TAG...",
	.help = "list and remove tags, while the registry serves; the manifests stay",
	.run = run,
};
