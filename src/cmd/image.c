/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth image: prints what is known of one manifest, as the API tells it. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/json_view.h"
#include "registry/reg_image.h"

#define SHOWN 500               /* bytes of a text on the terminal */

struct call {
	bool json;
	struct name n;
	struct ref ref;
};

static void print_value(struct json_view v, unsigned depth);

static void print_text(struct json_view v)
{
	cleanup_str struct str text = STR_INIT, shown = STR_INIT;

	size_t n;

	json_view_text(v, &text);
	n = str_add_shown(&shown, text.buf, text.len, SHOWN);
	printf("%s%s", shown.buf, n < text.len ? "…" : "");
}

/* Members and entries a line each, those of inner ones further to the right. */
static void print_all(struct json_view v, unsigned depth)
{
	struct json_walk w = json_walk(v);
	struct json_view key, val;

	while (json_walk_next(&w, &key, &val)) {
		printf("\n%*s", (int)(depth * 2), "");
		if (w.object)
			print_text(key);
		else
			printf("-");
		if (w.object && val.kind != JSON_OBJECT && val.kind != JSON_LIST)
			printf(":");
		print_value(val, depth + 1);
	}
}

static void print_value(struct json_view v, unsigned depth)
{
	if (v.kind == JSON_OBJECT || v.kind == JSON_LIST) {
		print_all(v, depth);
		return;
	}
	printf(" ");
	if (v.kind == JSON_STRING)
		print_text(v);
	else
		printf("%.*s", (int)v.len, v.s);
}

static int show(struct registry *r, void *arg, struct err *e)
{
	cleanup_str struct str out = STR_INIT;
	const struct call *c = arg;
	struct json_walk w;
	struct json_view key, val;
	struct digest d;

	if (reg_image(r, &c->n, &c->ref, &out, &d, e) < 0)
		return -1;
	if (c->json) {
		printf("{\"kind\":\"image\",%s\n", out.buf + 1);
		return CMD_DONE;
	}
	w = json_walk(json_view_of(out.buf, out.len));
	while (json_walk_next(&w, &key, &val)) {
		print_text(key);
		printf(":");
		print_value(val, 1);
		printf("\n");
	}
	return CMD_DONE;
}

/* REPOSITORY:TAG or REPOSITORY@DIGEST: 0, or -1 after printing an error. */
static int parse(struct call *c, const char *what)
{
	const char *at = strchr(what, '@'), *colon = strrchr(what, ':'), *cut = at ? at : colon;

	if (cut && name_parse(&c->n, what, (size_t)(cut - what)) == 0 && ref_parse(&c->ref, cut + 1, strlen(cut + 1), NULL) == 0 &&
	    (c->ref.kind == REF_DIGEST) == (at != NULL))
		return 0;
	cmd_invalid(what, "REPOSITORY:TAG, or REPOSITORY@DIGEST");
	return -1;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct call c = { .json = false };
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt != 'j') /* getopt has printed the error */
			return cmd_usage(&cmd_image_command);
		c.json = true;
	}
	if (argc - optind != 2 || strcmp(argv[optind], "show") != 0)
		return cmd_usage(&cmd_image_command);
	return parse(&c, argv[optind + 1]) < 0 ? CMD_USAGE : cmd_on_store(o, cmd_store_to_read, show, &c);
}

const struct cmd cmd_image_command = {
	.name = "image",
	.args = "show REPOSITORY:TAG|REPOSITORY@DIGEST [--json]",
	.help = "show what is known of an image: configuration, layers, tags, and what refers to it",
	.run = run,
};
