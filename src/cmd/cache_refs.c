/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache_refs: the images of a command line and of a list, one after the other. Owns nothing.
 */
#include "cmd/cache_refs.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX (1024 * 1024)          /* bytes of a list of images */

/* Prints what is wrong with it; file NULL: it is of the command line. */
static bool is_ref(const struct config *cfg, const char *text, const char *file, unsigned line)
{
	cleanup_err struct err e = ERR_INIT;
	struct cache_ref ref;

	if (cache_ref_parse(cfg, text, &ref, &e) == 0)
		return true;
	if (file)
		fprintf(stderr, "berth: %s:%u: %s\n", file, line, e.detail);
	else
		cmd_complain(&e);
	return false;
}

/* A line of a list, without its comment and the blanks around it. */
static void strip(char **line)
{
	size_t len;

	*line += strspn(*line, " \t\r");
	len = strcspn(*line, "#");
	while (len && strchr(" \t\r", (*line)[len - 1]))
		len--;
	(*line)[len] = '\0';
}

static int read_list(const struct config *cfg, const char *file, struct names *out)
{
	cleanup_str struct str text = STR_INIT;
	char *next, *line;
	int rc = 0;

	if (cmd_read(file, LIST_MAX, &text) < 0)
		return -1;
	next = text.buf;
	for (unsigned n = 1; (line = strsep(&next, "\n")) != NULL; n++) {
		strip(&line);
		if (!*line)
			continue;
		if (is_ref(cfg, line, file, n))
			names_add(out, line, strlen(line));
		else
			rc = -1;
	}
	return rc;
}

/* Those of the command line first. 0, or -1 after each that is none was printed. */
static int read_refs(const struct config *cfg, const struct cache_call *c, struct names *out)
{
	int rc = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (is_ref(cfg, c->words[i], NULL, 0))
			names_add(out, c->words[i], strlen(c->words[i]));
		else
			rc = -1;
	}
	return c->file && read_list(cfg, c->file, out) < 0 ? -1 : rc;
}

static void complain(const struct cache_call *c, const struct cache_ref *ref, const struct err *e)
{
	cleanup_str struct str text = STR_INIT, why = STR_INIT, shown = STR_INIT;

	cache_ref_text(ref, &text);
	err_text(e, &why);
	if (!c->json) {
		fprintf(stderr, "berth: %s: %s\n", text.buf, why.buf);
		return;
	}
	str_add_json(&shown, why.buf, why.len);
	printf("{\"kind\":\"failed\",\"image\":\"%s\",\"why\":\"%s\"}\n", text.buf, shown.buf);
}

int cache_each_ref(struct registry *r, const struct cache_call *c, cache_one *one, void *arg)
{
	cleanup_names struct names refs = NAMES_INIT;
	int status = CMD_DONE;

	if (read_refs(r->cfg, c, &refs) < 0)
		return CMD_USAGE;
	for (size_t i = 0; i < refs.count; i++) {
		cleanup_err struct err e = ERR_INIT;
		struct cache_ref ref;

		if (cache_ref_parse(r->cfg, refs.v[i], &ref, &e) < 0 || one(r, &ref, arg, &e) < 0) {
			complain(c, &ref, &e);
			status = CMD_FOUND;
		}
		fflush(stdout);
	}
	return status;
}
