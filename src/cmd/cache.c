/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth cache: parses the options, forgets and pins copies; cmd/cache_list.c lists them, cmd/cache_warm.c has them fetched.
 *
 * Owns nothing.
 */
#include "cmd/cache_cmd.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/platform.h"
#include "care/evict.h"
#include "cmd/cache_refs.h"
#include "cmd/commands.h"
#include "registry/reg_rules.h"
#include "store/mirror.h"

#define RELAY_DEFAULT "/run/berth/mirror.sock"

static int drop_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e)
{
	struct evict_result result;
	int found;

	(void)arg;
	if (reg_rules_writable(r, &ref->n, e) < 0)
		return -1;
	found = evict_drop(r, &ref->n, ref->named ? &ref->ref : NULL, &result, e);
	return found == 0 ? err_set(e, ERR_MANIFEST_UNKNOWN, "is not here") : found < 0 ? -1 : 0;
}

static int drop(struct registry *r, void *arg, struct err *e)
{
	(void)e;
	return cache_each_ref(r, arg, drop_one, NULL);
}

static int is_tag(const struct cache_ref *ref, struct err *e)
{
	return ref->ref.kind == REF_TAG ? 0 : err_set(e, ERR_TAG_INVALID, "only a tag can be pinned");
}

static int pin_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e)
{
	(void)arg;
	return is_tag(ref, e) < 0 || mirror_pin(r->st, &ref->n, &ref->ref.tag, e) < 0 ? -1 : 0;
}

static int unpin_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e)
{
	int found;

	(void)arg;
	if (is_tag(ref, e) < 0)
		return -1;
	found = mirror_unpin(r->st, &ref->n, &ref->ref.tag, e);
	return found == 0 ? err_set(e, ERR_TAG_INVALID, "is not pinned") : found < 0 ? -1 : 0;
}

static int pin(struct registry *r, void *arg, struct err *e)
{
	(void)e;
	return cache_each_ref(r, arg, pin_one, NULL);
}

static int unpin(struct registry *r, void *arg, struct err *e)
{
	(void)e;
	return cache_each_ref(r, arg, unpin_one, NULL);
}

/* --- the command line */

enum { HAS_JSON = 1, HAS_FETCH = 2 };   /* --json; --platform, --relay and --file */

static const struct verb {
	const char *name;
	size_t min, max;                /* how many words */
	int options;
	cmd_open *open;
	cmd_work *work;
} verbs[] = {
	{ "list", 0, 1, HAS_JSON, cmd_store_to_read, cache_list },
	{ "warm", 0, SIZE_MAX, HAS_JSON | HAS_FETCH, cmd_store_to_change, cache_warm },
	{ "drop", 1, SIZE_MAX, 0, cmd_store_to_change, drop },
	{ "pin", 1, SIZE_MAX, 0, cmd_store_to_change, pin },
	{ "unpin", 1, SIZE_MAX, 0, cmd_store_to_change, unpin },
};

static int run_verb(const struct cmd_options *o, const struct verb *v, struct cache_call *c)
{
	bool fetch = c->nplatforms || c->file || c->relay;

	if (c->count < v->min || c->count > v->max || (c->json && !(v->options & HAS_JSON)) || (fetch && !(v->options & HAS_FETCH)))
		return cmd_usage(&cmd_cache_command);
	if ((v->options & HAS_FETCH) && !c->count == !c->file)
		return cmd_usage(&cmd_cache_command);
	if (!c->relay)
		c->relay = RELAY_DEFAULT;
	return cmd_on_store(o, v->open, v->work, c);
}

static int add_platform(struct cache_call *c, const char *text)
{
	if (!platform_ok(text))
		return cmd_invalid(text, "platform: one is \"linux/amd64\"");
	if (c->nplatforms == CACHE_PLATFORMS_MAX) {
		fprintf(stderr, "berth: there may be at most %d platforms\n", CACHE_PLATFORMS_MAX);
		return CMD_USAGE;
	}
	c->platforms[c->nplatforms++] = text;
	return CMD_DONE;
}

static int parse(struct cache_call *c, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "platform", required_argument, NULL, 'p' }, { "file", required_argument, NULL, 'f' },
		{ "relay", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 },
	};
	int opt, rc = CMD_DONE;

	optind = 0;             /* getopt_long starts over */
	while (rc == CMD_DONE && (opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			c->json = true;
		else if (opt == 'p')
			rc = add_platform(c, optarg);
		else if (opt == 'f')
			c->file = optarg;
		else if (opt == 'r')
			c->relay = optarg;
		else            /* getopt has printed the error */
			return cmd_usage(&cmd_cache_command);
	}
	return rc == CMD_DONE && optind == argc ? cmd_usage(&cmd_cache_command) : rc;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	struct cache_call c = { .json = false };
	int rc = parse(&c, argc, argv);

	if (rc != CMD_DONE)
		return rc;
	c.words = argv + optind + 1;
	c.count = (size_t)(argc - optind - 1);
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
		if (strcmp(verbs[i].name, argv[optind]) == 0)
			return run_verb(o, &verbs[i], &c);
	return cmd_usage(&cmd_cache_command);
}

const struct cmd cmd_cache_command = {
	.name = "cache",
	.args = "list [UPSTREAM] [--json] | warm [--platform OS/ARCH]... [--relay SOCKET] [--json] REF...|--file LIST | drop REF... | pin REF... | "
		"unpin REF...",
	.help = "list what is here of other registries, fetch it in advance, forget it, or let it stay;\n"
		"      REF is an image as clients write it, such as alpine:3.20",
	.run = run,
};
