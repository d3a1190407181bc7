/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth cache list: prints what is here of other registries. Owns nothing.
 */
#include "cmd/cache_cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "care/cached.h"

static void json_time(const char *key, int64_t seconds)
{
	char buf[TIME_RFC3339_MAX];

	if (seconds)
		printf(",\"%s\":\"%s\"", key, time_text(buf, seconds));
}

static void json_lines(const struct cached *c)
{
	printf("{\"kind\":\"repository\",\"repository\":\"%s\",\"upstream\":\"%s\"", c->n.s, c->upstream->name);
	printf(",\"manifests\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"bytes\":%" PRIu64, c->manifests, c->blobs, c->bytes);
	json_time("pulled", c->pulled);
	puts("}");
	for (size_t i = 0; i < c->ntags; i++) {
		const struct cached_tag *t = &c->tags[i];

		printf("{\"kind\":\"tag\",\"repository\":\"%s\",\"tag\":\"%s\"", c->n.s, t->tag.s);
		if (t->here)
			printf(",\"digest\":\"%s\"", t->digest.text);
		printf(",\"pinned\":%s", t->pinned ? "true" : "false");
		json_time("checked", t->checked);
		json_time("pulled", t->pulled);
		puts("}");
	}
}

static void print_time(const char *what, int64_t seconds)
{
	char buf[TIME_RFC3339_MAX];

	if (seconds)
		printf(", %s %s", what, time_text(buf, seconds));
	else
		printf(", never %s", what);
}

static void print_lines(const struct cached *c)
{
	printf("%s: %" PRIu64 " manifests, %" PRIu64 " blobs, %" PRIu64 " bytes", c->n.s, c->manifests, c->blobs, c->bytes);
	print_time("pulled", c->pulled);
	puts("");
	for (size_t i = 0; i < c->ntags; i++) {
		const struct cached_tag *t = &c->tags[i];

		printf("  %s %s", t->tag.s, t->here ? t->digest.text : "is not here");
		if (t->here) {
			print_time("checked", t->checked);
			print_time("pulled", t->pulled);
		}
		puts(t->pinned ? ", pinned" : "");
	}
}

static int visit(void *arg, const struct cached *c, struct err *e)
{
	const struct cache_call *call = arg;

	(void)e;
	(call->json ? json_lines : print_lines)(c);
	return 0;
}

static void sum_up(const struct cached_total *t, bool json)
{
	if (json)
		printf("{\"kind\":\"summary\",\"repositories\":%" PRIu64 ",\"tags\":%" PRIu64 ",\"manifests\":%" PRIu64 ",\"blobs\":%" PRIu64
		       ",\"bytes\":%" PRIu64 "}\n", t->repositories, t->tags, t->manifests, t->blobs, t->bytes);
	else
		printf("total: %" PRIu64 " repositories, %" PRIu64 " tags, %" PRIu64 " manifests, %" PRIu64 " blobs, %" PRIu64 " bytes\n",
		       t->repositories, t->tags, t->manifests, t->blobs, t->bytes);
}

int cache_list(struct registry *r, void *arg, struct err *e)
{
	const struct cache_call *c = arg;
	const struct config_upstream *u = NULL;
	struct cached_total total = { 0 };

	for (size_t i = 0; c->count && i < r->cfg->nupstreams; i++)
		if (strcmp(r->cfg->upstreams[i].name, c->words[0]) == 0)
			u = &r->cfg->upstreams[i];
	if (c->count && !u)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no upstream %.100s", c->words[0]);
	if (cached_each(r, u, visit, arg, &total, e) < 0)
		return -1;
	sum_up(&total, c->json);
	return CMD_DONE;
}
