/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth gc: parses the options, and prints what a collection removed. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/time.h"
#include "care/evict.h"
#include "care/gc.h"
#include "os/process.h"

#define PROGRESS_USEC 100000    /* of one progress line to the next */

struct say {
	bool each, json, log;
	bool on_line;                   /* the terminal's cursor is at the end of a progress line */
	uint64_t told;                  /* the time of the last progress line, microseconds */
};

static void wipe_progress(struct say *s)
{
	if (s->on_line)
		fputs("\r\033[K", stderr);
	s->on_line = false;
}

static void progress(void *arg, const char *what, uint64_t done, uint64_t of)
{
	struct say *s = arg;
	uint64_t now = time_now_usec();

	if (s->on_line && now - s->told < PROGRESS_USEC)
		return;
	s->told = now;
	wipe_progress(s);
	fprintf(stderr, "%" PRIu64, done);
	if (of)
		fprintf(stderr, " of %" PRIu64, of);
	fprintf(stderr, " %s", what);
	fflush(stderr);
	s->on_line = true;
}

static const struct {
	const char *name, *why;
} kinds[GC_KINDS] = {
	[GC_TAG] = { "tag", "no rule keeps it" },
	[GC_MANIFEST] = { "manifest", "no tag, index or subject keeps it" },
	[GC_LINK] = { "link", "no manifest of the repository names it" },
	[GC_BLOB] = { "blob", "nothing names it" },
	[GC_UPLOAD] = { "upload", "abandoned: no request continued it" },
	[GC_LEFTOVER] = { "leftover", "left by a crash" },
	[GC_UNREADABLE] = { "unreadable", "not a readable manifest; kept, with all that its repository links" },
};

static void tell_json(enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	cleanup_str struct str text = STR_INIT;

	str_addf(&text, "{\"kind\":\"%s\"", kinds[kind].name);
	if (n)
		str_addf(&text, ",\"repository\":\"%s\"", n->s);
	str_puts(&text, ",\"what\":\"");
	str_add_json(&text, what, strlen(what));
	str_addf(&text, "\",\"why\":\"%s\",\"bytes\":%" PRIu64 "}", kinds[kind].why, bytes);
	puts(text.buf);
}

static void tell(void *arg, enum gc_kind kind, const struct name *n, const char *what, uint64_t bytes)
{
	struct say *s = arg;

	if (!s->json && !s->each && kind != GC_UNREADABLE)
		return;
	wipe_progress(s);
	if (s->json)
		tell_json(kind, n, what, bytes);
	else
		printf("%s %s%s%s, %" PRIu64 " bytes: %s\n", kinds[kind].name, n ? n->s : "", n ? " " : "", what, bytes,
		       kinds[kind].why);
}

static void sum_up_json(const struct gc_options *o, const struct gc_result *r, uint64_t usec)
{
	printf("{\"kind\":\"summary\",\"dry_run\":%s", o->dry_run ? "true" : "false");
	printf(",\"tags\":%" PRIu64, r->count[GC_TAG]);
	printf(",\"manifests\":%" PRIu64 ",\"links\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"bytes\":%" PRIu64,
	       r->count[GC_MANIFEST], r->count[GC_LINK], r->count[GC_BLOB], r->bytes);
	printf(",\"uploads\":%" PRIu64 ",\"leftovers\":%" PRIu64 ",\"unreadable\":%" PRIu64, r->count[GC_UPLOAD],
	       r->count[GC_LEFTOVER], r->count[GC_UNREADABLE]);
	printf(",\"kept_blobs\":%" PRIu64 ",\"ms\":%" PRIu64 "}\n", r->kept, usec / 1000);
}

static void sum_up(const struct gc_options *o, const struct gc_result *r, uint64_t usec)
{
	printf("%s ", o->dry_run ? "would remove" : "removed");
	if (r->count[GC_TAG])
		printf("%" PRIu64 " tags, ", r->count[GC_TAG]);
	printf("%" PRIu64 " manifests, %" PRIu64 " links, %" PRIu64 " blobs, %" PRIu64 " uploads, %" PRIu64 " leftovers: %" PRIu64 " bytes",
	       r->count[GC_MANIFEST], r->count[GC_LINK], r->count[GC_BLOB], r->count[GC_UPLOAD], r->count[GC_LEFTOVER], r->bytes);
	printf("; %" PRIu64 " blobs stay; %" PRIu64 " ms\n", r->kept, usec / 1000);
}

struct args {
	struct gc_options o;
	struct say say;
	bool cache;                     /* an eviction alone */
};

static const struct option options[] = {
	{ "dry-run", no_argument, NULL, 'n' },       { "json", no_argument, NULL, 'j' },
	{ "untagged", no_argument, NULL, 't' },      { "grace", required_argument, NULL, 'g' },
	{ "uploads", required_argument, NULL, 'u' }, { "rate", required_argument, NULL, 'r' },
	{ "log", no_argument, NULL, 'l' },           { "cache", no_argument, NULL, 'c' },
	{ NULL, 0, NULL, 0 },
};

static int bad_value(const char *option, const char *value)
{
	fprintf(stderr, "berth: gc: invalid value \"%s\" for --%s; `berth --help` shows an example\n", value, option);
	return CMD_USAGE;
}

/* Returns CMD_DONE to continue. */
static int parse(struct args *a, int argc, char **argv)
{
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'n':
			a->o.dry_run = a->say.each = true;
			break;
		case 'j':
			a->say.json = true;
			break;
		case 'l':       /* standard error is then a log, with all that commands do not log otherwise */
			a->say.log = true;
			log_set_level(LOG_INFO);
			break;
		case 'c':
			a->cache = true;
			break;
		case 't':
			a->o.untagged = true;
			break;
		case 'g':
			if (time_parse_duration(optarg, &a->o.grace) < 0)
				return bad_value("grace", optarg);
			break;
		case 'u':
			if (time_parse_duration(optarg, &a->o.uploads) < 0)
				return bad_value("uploads", optarg);
			break;
		case 'r':
			if (str_parse_u64(optarg, strlen(optarg), &a->o.rate) < 0)
				return bad_value("rate", optarg);
			break;
		default:        /* getopt has printed the error */
			return cmd_usage(&cmd_gc_command);
		}
	}
	return optind == argc ? CMD_DONE : cmd_usage(&cmd_gc_command);
}

static int begin(const struct config *c, struct store **st, struct registry *reg, struct err *e)
{
	int rc;

	os_end_by_asking();
	rc = cmd_store(c, st, e);
	*reg = (struct registry){ .st = *st, .cfg = c, .by = cmd_by() };
	return rc;
}

static int collect(struct args *a, const struct config *c, struct err *e)
{
	cleanup_store struct store *st = NULL;
	uint64_t begun = time_now_usec();
	struct gc_result result;
	struct registry reg;
	int rc;

	rc = begin(c, &st, &reg, e);
	if (rc == 0)
		rc = gc_run(&reg, &a->o, &result, e);
	wipe_progress(&a->say);
	if (rc == 1) {
		(a->say.json ? sum_up_json : sum_up)(&a->o, &result, time_now_usec() - begun);
		if (a->say.log)
			gc_log(&a->o, &result, time_now_usec() - begun);
	}
	return rc;
}

static int evict(const struct args *a, const struct config *c, struct err *e)
{
	cleanup_store struct store *st = NULL;
	uint64_t begun = time_now_usec();
	struct evict_result gone;
	struct registry reg;
	int rc;

	rc = begin(c, &st, &reg, e);
	if (rc == 0)
		rc = evict_run(&reg, &gone, e);
	if (rc != 1)
		return rc;
	printf(a->say.json ? "{\"kind\":\"summary\",\"manifests\":%" PRIu64 ",\"links\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"bytes\":%" PRIu64
			     ",\"kept_bytes\":%" PRIu64 ",\"ms\":%" PRIu64 "}\n" :
			     "evicted %" PRIu64 " manifests, %" PRIu64 " links, %" PRIu64 " blobs: %" PRIu64 " bytes; %" PRIu64
			     " bytes stay; %" PRIu64 " ms\n",
	       gone.manifests, gone.links, gone.blobs, gone.bytes, gone.kept, (time_now_usec() - begun) / 1000);
	if (a->say.log)
		evict_log(&gone, time_now_usec() - begun);
	return 1;
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	cleanup_config struct config *c = cmd_config(o);
	struct args a = { .say = { .json = false } };
	cleanup_err struct err e = ERR_INIT;
	int rc;

	if (!c)
		return CMD_USAGE;
	gc_presets(c, &a.o);
	rc = parse(&a, argc, argv);
	if (rc != CMD_DONE)
		return rc;
	a.o.tell = tell;
	a.o.arg = &a.say;
	if (isatty(STDERR_FILENO))
		a.o.progress = progress;
	rc = a.cache ? evict(&a, c, &e) : collect(&a, c, &e);
	if (rc < 0 && os_asked_to_end()) {
		cmd_complain(&e);
		fflush(stdout);
		os_end();
	}
	if (rc == 1)
		return CMD_DONE;
	if (rc == 0)
		fprintf(stderr, "berth: another collection is running, or a repository is being moved\n");
	else
		cmd_complain(&e);
	return CMD_FOUND;
}

const struct cmd cmd_gc_command = {
	.name = "gc",
	.args = "[--dry-run] [--json] [--untagged] [--grace 24h] [--uploads 7d] [--rate N] [--log] [--cache]",
	.help = "remove what nothing refers to, while the registry serves",
	.run = run,
};
