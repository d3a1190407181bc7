/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth events: parses the options, and prints the journal. Owns nothing.
 */
#include "cmd/commands.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/pattern.h"
#include "cmd/since.h"
#include "os/process.h"
#include "registry/reg_event.h"
#include "store/journal.h"

#define AT_ONCE 1000
#define LOOK_AGAIN (500 * 1000)         /* microseconds */

struct call {
	bool follow, json;
	const char *repo;
	struct since since;
};

/* The text of a member, as a terminal may show it; "" if there is none. */
static const char *shown(const struct event_line *ev, const char *key, struct str *out)
{
	cleanup_str struct str text = STR_INIT;
	struct json_view v = json_view_get(ev->json, key);

	str_reset(out);
	if (v.kind != JSON_STRING)
		return out->buf;
	json_view_text(v, &text);
	str_add_shown(out, text.buf, text.len, SIZE_MAX);
	return out->buf;
}

static void print_by(const struct event_line *ev)
{
	cleanup_str struct str text = STR_INIT, login = STR_INIT;

	if (shown(ev, "user", &text)[0])
		printf(" by %s (%s)", text.buf, shown(ev, "login", &login));
	else if (shown(ev, "login", &text)[0])
		printf(" by %s", text.buf);
	if (shown(ev, "remote", &text)[0])
		printf(" from %s", text.buf);
}

static void print_quota(const struct event_line *ev)
{
	cleanup_str struct str group = STR_INIT;
	uint64_t used = 0, quota = 0;

	json_view_u64(json_view_get(ev->json, "size"), &used);
	json_view_u64(json_view_get(ev->json, "quota"), &quota);
	printf(": %s has used %" PRIu64 " of %" PRIu64 " bytes", shown(ev, "group", &group), used, quota);
}

static void print_line(const struct event_line *ev)
{
	cleanup_str struct str text = STR_INIT;

	shown(ev, "time", &text);
	if (text.len >= 19)
		printf("%.10s %.8s ", text.buf, text.buf + 11);
	printf("%-11s %s", event_action_name(ev->action), ev->repository.s);
	if (ev->tag.len)
		printf(":%s", ev->tag.s);
	if (ev->has_digest)
		printf(" %s", ev->digest.text);
	if (ev->from.len)
		printf(" from %s", ev->from.s);
	if (shown(ev, "before", &text)[0])
		printf(" was %s", text.buf);
	if (ev->action == EVENT_QUOTA)
		print_quota(ev);
	print_by(ev);
	putchar('\n');
}

static int print(void *arg, const char *id, const struct event_line *ev, struct err *e)
{
	const struct call *c = arg;
	cleanup_str struct str when = STR_INIT;

	(void)e;
	if (c->since.time[0] && strcmp(shown(ev, "time", &when), c->since.time) < 0 && ev->action != EVENT_LOST)
		return 0;
	if (c->json)
		printf("{\"id\":\"%s\",%.*s\n", id, (int)ev->json.len - 1, ev->json.s + 1);
	else
		print_line(ev);
	return 0;
}

/* What a killed worker has left without a mark gets one, where the store may be written. */
static int open_store(const struct config *c, struct store **st, struct err *e)
{
	return c->readonly ? cmd_store_to_read(c, st, e) : cmd_store_to_change(c, st, e);
}

static int work(struct registry *r, void *arg, struct err *e)
{
	struct call *c = arg;
	struct event_query q = { .repo = c->repo, .max = AT_ONCE, .wait = true };

	if (!journal_kept(r->st) && !c->since.after.segment && !c->since.time[0])
		fprintf(stderr, "berth: warning: journal.enabled is not set: nothing new is written down\n");
	if (since_find(&c->since, r->st, &q.after, e) < 0)
		return -1;
	if (c->follow)
		os_end_by_asking();
	for (;;) {
		if (reg_event_read(r, &q, print, c, e) < 0)
			return -1;
		q.after = q.next;
		if (q.more)
			continue;
		if (!c->follow)
			return CMD_DONE;
		fflush(stdout);
		os_sleep(LOOK_AGAIN);
		if (ferror(stdout))
			return CMD_DONE;
		if (os_asked_to_end())
			os_end();
	}
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "follow", no_argument, NULL, 'f' }, { "json", no_argument, NULL, 'j' }, { "repo", required_argument, NULL, 'r' },
		{ "since", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
	};
	struct call c = { 0 };
	const char *fault;
	int opt;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (opt) {
		case 'f':
			c.follow = true;
			break;
		case 'j':
			c.json = true;
			break;
		case 'r':
			c.repo = optarg;
			break;
		case 's':
			if (since_parse(&c.since, optarg) < 0)
				return cmd_invalid(optarg, "time, duration or id of an event");
			break;
		default:        /* getopt has printed the error */
			return cmd_usage(&cmd_events_command);
		}
	}
	if (optind != argc)
		return cmd_usage(&cmd_events_command);
	if (c.repo && (fault = pattern_fault(c.repo))) {
		fprintf(stderr, "berth: the pattern %s\n", fault);
		return CMD_USAGE;
	}
	return cmd_on_store(o, open_store, work, &c);
}

const struct cmd cmd_events_command = {
	.name = "events",
	.args = "[--follow] [--repo PATTERN] [--since TIME|DURATION|ID] [--json]",
	.help = "print what has changed, and who changed it, from the journal",
	.run = run,
};
