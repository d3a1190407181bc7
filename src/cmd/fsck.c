/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth fsck: parses the options, and prints findings as text or JSON. Owns nothing.
 *
 * A finding is one line, "KIND WHERE: what is wrong; repaired" or "...; what to do". With --json it is one object a line. A
 * summary ends the output.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/time.h"
#include "care/fsck.h"
#include "care/share.h"

#define JOBS_MAX 256

struct say {
	bool json;
	bool on_line;                   /* the terminal's cursor is at the end of a progress line */
};

static void add_member(struct str *out, const char *key, const char *text)
{
	str_addf(out, ",\"%s\":\"", key);
	str_add_json(out, text, strlen(text));
	str_addc(out, '"');
}

static void wipe_progress(struct say *s)
{
	if (s->on_line)
		fputs("\r\033[K", stderr);
	s->on_line = false;
}

static void tell(void *arg, const struct fsck_finding *f)
{
	cleanup_str struct str line = STR_INIT;
	struct say *s = arg;

	wipe_progress(s);
	if (s->json) {
		str_addf(&line, "{\"kind\":\"%s\"", fsck_kind_name(f->kind));
		add_member(&line, "where", f->where);
		add_member(&line, "what", f->what);
		str_addf(&line, ",\"repaired\":%s", f->repaired ? "true" : "false");
		if (*f->todo)
			add_member(&line, "todo", f->todo);
		str_addc(&line, '}');
	} else {
		str_addf(&line, "%s ", fsck_kind_name(f->kind));
		fsck_add_text(&line, f->where);
		str_addf(&line, ": %s; %s%s%s", f->what, f->repaired ? "repaired" : "", f->repaired && *f->todo ? ": " : "", f->todo);
	}
	puts(line.buf);
	fflush(stdout);         /* a process forked later must not print it again; and somebody may watch a long run */
}

static void progress(void *arg, uint64_t bytes, uint64_t of)
{
	struct say *s = arg;

	fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " MiB read, %u %%", bytes >> 20, of >> 20,
		of ? (unsigned)((double)bytes * 100 / (double)of) : 100);
	fflush(stderr);
	s->on_line = true;
}

static void sum_up(const struct say *s, const struct fsck_options *o, const struct fsck_result *r, uint64_t usec)
{
	if (s->json) {
		printf("{\"kind\":\"summary\",\"found\":%" PRIu64 ",\"repaired\":%" PRIu64 ",\"left\":%" PRIu64, r->found,
		       r->repaired, r->found - r->repaired);
		printf(",\"repositories\":%" PRIu64 ",\"tags\":%" PRIu64 ",\"manifests\":%" PRIu64 ",\"blobs\":%" PRIu64,
		       r->repositories, r->tags, r->manifests, r->blobs);
		printf(",\"data\":%s,\"bytes\":%" PRIu64 ",\"ms\":%" PRIu64 "}\n", o->data ? "true" : "false", r->bytes,
		       usec / 1000);
		return;
	}
	printf("%" PRIu64 " repositories, %" PRIu64 " tags, %" PRIu64 " manifests, %" PRIu64 " blobs", r->repositories, r->tags,
	       r->manifests, r->blobs);
	if (o->data)
		printf(", %" PRIu64 " bytes read", r->bytes);
	if (r->found == 0)
		printf(": nothing wrong");
	else
		printf(": %" PRIu64 " found, %" PRIu64 " repaired, %" PRIu64 " left", r->found, r->repaired,
		       r->found - r->repaired);
	printf("; %" PRIu64 " ms\n", usec / 1000);
}

static int bad_value(const char *option, const char *value)
{
	fprintf(stderr, "berth: fsck: invalid value \"%s\" for --%s\n", value, option);
	return CMD_USAGE;
}

/* "50 MiB" or "50 MiB/s" */
static int parse_rate(const char *text, uint64_t *rate)
{
	cleanup_str struct str size = STR_INIT;
	size_t len = strlen(text);

	if (len > 2 && strcmp(text + len - 2, "/s") == 0)
		len -= 2;
	str_add(&size, text, len);
	return config_parse_size(size.buf, rate);
}

/* Returns CMD_DONE to continue. */
static int parse(struct fsck_options *o, struct say *s, int argc, char **argv)
{
	static const struct option options[] = {
		{ "data", no_argument, NULL, 'd' },       { "repair", no_argument, NULL, 'r' },
		{ "json", no_argument, NULL, 'j' },       { "rate", required_argument, NULL, 'R' },
		{ "jobs", required_argument, NULL, 'J' }, { NULL, 0, NULL, 0 },
	};
	uint64_t n;
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'd':
			o->data = true;
			break;
		case 'r':
			o->repair = true;
			break;
		case 'j':
			s->json = true;
			break;
		case 'R':
			if (parse_rate(optarg, &o->rate) < 0)
				return bad_value("rate", optarg);
			break;
		case 'J':
			if (str_parse_u64(optarg, strlen(optarg), &n) < 0 || n < 1 || n > JOBS_MAX)
				return bad_value("jobs", optarg);
			o->jobs = (unsigned)n;
			break;
		default:        /* getopt has printed the error */
			return cmd_usage(&cmd_fsck_command);
		}
	}
	return optind == argc ? CMD_DONE : cmd_usage(&cmd_fsck_command);
}

struct check {
	struct say say;
	struct fsck_options o;
	uint64_t begun;                 /* microseconds */
};

static int check(struct registry *r, void *arg, struct err *e)
{
	struct check *c = arg;
	struct fsck_result result;
	int rc = fsck_run(r, &c->o, &result, e);

	wipe_progress(&c->say);
	if (rc < 0)
		return -1;
	sum_up(&c->say, &c->o, &result, time_now_usec() - c->begun);
	return result.found ? CMD_FOUND : CMD_DONE;
}

static int run(const struct cmd_options *co, int argc, char **argv)
{
	struct check c = { .o = { .jobs = share_processors(), .tell = tell }, .begun = time_now_usec() };
	int rc = parse(&c.o, &c.say, argc, argv);

	c.o.arg = &c.say;
	if (isatty(STDERR_FILENO))
		c.o.progress = progress;
	return rc == CMD_DONE ? cmd_on_store(co, cmd_store, check, &c) : rc;
}

const struct cmd cmd_fsck_command = {
	.name = "fsck",
	.args = "[--data] [--repair] [--json] [--rate \"50 MiB\"] [--jobs N]",
	.help = "check names, links, references and indexes, and with --data every byte, while the registry serves",
	.run = run,
};
