/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth hooks: parses the options, prints how the deliveries of events stand, and asks the relay for tests and the like.
 *
 * Owns nothing. What is asked lies in a file beside the state of the endpoint, until the relay has said in the state what came of it.
 */
#include "cmd/commands.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/time.h"
#include "cmd/since.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"
#include "registry/reg_hook.h"
#include "store/store_path.h"

#define COUNT_MAX 100000                        /* events that are counted */
#define COUNT_BYTES (UINT64_C(64) * 1024 * 1024)        /* in so much of the journal */
#define LOOK_AGAIN (100 * 1000)                 /* microseconds */
#define PATIENCE 30                             /* seconds */

struct call {
	bool json;
	const char *verb, *name;
	struct since since;             /* of "replay" */
};

/* "2026-01-02 03:04:05", or for JSON as RFC 3339 has it. */
static const char *when(int64_t seconds, bool json, char buf[TIME_RFC3339_MAX])
{
	time_text(buf, seconds);
	if (!json && strlen(buf) > 19) {
		buf[10] = ' ';
		buf[19] = '\0';
	}
	return buf;
}

static void json_time(const char *key, int64_t seconds)
{
	char buf[TIME_RFC3339_MAX];

	if (seconds)
		printf(",\"%s\":\"%s\"", key, when(seconds, true, buf));
}

static void json_text(const char *key, const char *text)
{
	cleanup_str struct str shown = STR_INIT;

	str_add_shown(&shown, text, strlen(text), SIZE_MAX);
	printf(",\"%s\":\"%s\"", key, shown.buf);
}

static void json_line(const struct config_endpoint *ep, const struct hook_state *s, const struct hook_waiting *w, bool begun)
{
	cleanup_str struct str url = STR_INIT;

	endpoint_show_url(ep, &url);
	printf("{\"kind\":\"hook\"");
	json_text("name", ep->name);
	json_text("url", url.buf);
	printf(",\"begun\":%s,\"waiting\":%llu,\"more\":%s", begun ? "true" : "false", (unsigned long long)w->count, w->more ? "true" : "false");
	json_time("oldest", w->since);
	printf(",\"delivered\":%llu,\"dead\":%llu,\"failed\":%llu,\"in_row\":%llu", (unsigned long long)s->delivered, (unsigned long long)s->dead,
	       (unsigned long long)s->failed, (unsigned long long)s->in_row);
	json_time("delivered_at", s->delivered_at);
	json_time("failed_at", s->failed_at);
	json_time("next_try", s->next_try);
	printf(",\"status\":%d", s->status);
	json_text("why", s->why);
	json_text("next", s->next);
	puts("}");
}

static void print_lines(const struct config_endpoint *ep, const struct hook_state *s, const struct hook_waiting *w, bool begun)
{
	cleanup_str struct str url = STR_INIT, why = STR_INIT;
	char buf[TIME_RFC3339_MAX];

	endpoint_show_url(ep, &url);
	printf("%s %s\n", ep->name, url.buf);
	printf("  %s%llu waiting", w->more ? "more than " : "", (unsigned long long)w->count);
	if (w->since)
		printf(" since %s", when(w->since, false, buf));
	if (!begun) {
		puts(", no relay has begun to deliver");
		return;
	}
	printf(", %llu delivered, %llu given up\n", (unsigned long long)s->delivered, (unsigned long long)s->dead);
	if (s->delivered_at)
		printf("  last delivered %s\n", when(s->delivered_at, false, buf));
	if (!s->failed_at)
		return;
	str_add_shown(&why, s->why, strlen(s->why), SIZE_MAX);
	printf("  last failed %s", when(s->failed_at, false, buf));
	if (why.len)
		printf(": %s", why.buf);
	if (s->in_row)
		printf(", %llu in a row", (unsigned long long)s->in_row);
	if (s->next_try)
		printf(", next try %s", when(s->next_try, false, buf));
	putchar('\n');
}

static int list(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;

	for (size_t i = 0; i < r->cfg->nendpoints; i++) {
		const struct config_endpoint *ep = &r->cfg->endpoints[i];
		struct hook_waiting w;
		struct hook_state s;
		int begun = reg_hook_state(r, ep, &s, e);

		if (begun < 0 || reg_hook_waiting(r, ep, &s, COUNT_MAX, COUNT_BYTES, &w, e) < 0)
			return -1;
		(c->json ? json_line : print_lines)(ep, &s, &w, begun == 1);
	}
	return CMD_DONE;
}

/* The last event before the time of --since: what is delivered again is behind it. */
static int find_from(struct registry *r, const struct since *since, struct position *out, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = SEGMENT_READER_INIT;
	struct position at;
	const char *line;
	size_t len;
	int rc;

	if (since_find(since, r->st, out, e) < 0)
		return -1;
	if (!since->time[0])
		return 0;
	reader.dirfd = r->st->dirfd;
	reader.dir = STORE_JOURNAL_DIR;
	reader.next = *out;
	while ((rc = segment_reader_next(&reader, &line, &len, &at)) == 1) {
		cleanup_str struct str text = STR_INIT;
		struct event_line ev;

		if (event_parse(&ev, line, len) == 0) {
			json_view_text(json_view_get(ev.json, "time"), &text);
			if (strcmp(text.buf, since->time) >= 0)
				return 0;
		}
		*out = at;
	}
	return rc < 0 ? err_sys(e, "cannot read the journal, %s", STORE_JOURNAL_DIR) : 0;
}

/* Whether a relay delivers: it holds the lock, on whatever machine. */
static bool relay_runs(struct registry *r)
{
	cleanup_fd int fd = os_open_file(r->st->dirfd, STORE_READERS_LOCK_FILE, O_RDONLY, 0);

	return fd >= 0 && os_lock(fd, false, 0, NULL) < 0;
}

static void new_id(char id[33])
{
	unsigned char bytes[16];

	os_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
}

static int write_ask(struct registry *r, const struct call *c, const char *path, const char *id, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	char from[POSITION_LEN + 1];
	struct position at;

	str_addf(&text, "{\"id\":\"%s\",\"what\":\"%s\"", id, c->verb);
	if (strcmp(c->verb, "replay") == 0) {
		if (find_from(r, &c->since, &at, e) < 0)
			return -1;
		position_text(&at, from);
		str_addf(&text, ",\"from\":\"%s\"", from);
	}
	str_puts(&text, "}\n");
	return store_replace(r->st, path, text.buf, text.len, false) < 0 ? err_sys(e, "cannot write %s", path) : 0;
}

/* What the relay says. */
static int report(const struct hook_state *s)
{
	cleanup_str struct str said = STR_INIT;
	bool done = strcmp(s->outcome, HOOK_DONE) == 0;

	str_add_shown(&said, s->said, strlen(s->said), SIZE_MAX);
	printf("%s%s\n", done ? "" : "failed: ", said.buf);
	return done ? CMD_DONE : CMD_FOUND;
}

static const struct config_endpoint *find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nendpoints; i++)
		if (strcmp(c->endpoints[i].name, name) == 0)
			return &c->endpoints[i];
	return NULL;
}

static int ask(struct registry *r, void *arg, struct err *e)
{
	const struct call *c = arg;
	const struct config_endpoint *ep = find(r->cfg, c->name);
	cleanup_str struct str path = STR_INIT, entry = STR_INIT;
	uint64_t begun = time_now_usec();
	struct hook_state s;
	char id[33];

	if (!ep)
		return err_set(e, ERR_NAME_UNKNOWN, "the configuration has no endpoint with this name: %.64s", c->name);
	if (!relay_runs(r))
		return err_set(e, ERR_UNAVAILABLE, "no relay runs on this store that could do it: berth-fcgi starts one");
	str_addf(&entry, "%s.ask", ep->name);
	path_in(&path, STORE_READERS_DIR, entry.buf);
	new_id(id);
	if (write_ask(r, c, path.buf, id, e) < 0)
		return -1;
	while (time_now_usec() - begun < PATIENCE * UINT64_C(1000000)) {
		if (reg_hook_state(r, ep, &s, e) < 0)
			return -1;
		if (strcmp(s.asked, id) == 0)
			return report(&s);
		os_sleep(LOOK_AGAIN);
	}
	/* Nobody shall be surprised by it tomorrow. */
	os_unlinkat(r->st->dirfd, path.buf, 0);
	return err_set(e, ERR_UNAVAILABLE, "the relay has not said within %d seconds what came of it; its log may", PATIENCE);
}

static int run(const struct cmd_options *o, int argc, char **argv)
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' }, { "since", required_argument, NULL, 's' }, { NULL, 0, NULL, 0 },
	};
	struct call c = { 0 };
	bool since = false;
	int opt, words;

	optind = 0;             /* getopt_long starts over */
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j') {
			c.json = true;
		} else if (opt == 's') {
			since = true;
			if (since_parse(&c.since, optarg) < 0)
				return cmd_invalid(optarg, "time, duration or id of an event");
		} else {        /* getopt has printed the error */
			return cmd_usage(&cmd_hooks_command);
		}
	}
	words = argc - optind - 1;
	c.verb = words >= 0 ? argv[optind] : "";
	if (words == 0 && !since && strcmp(c.verb, "list") == 0)
		return cmd_on_store(o, cmd_store_to_read, list, &c);
	c.name = words == 1 ? argv[optind + 1] : "";
	if (words != 1 || c.json || since != (strcmp(c.verb, "replay") == 0) ||
	    (!since && strcmp(c.verb, "test") != 0 && strcmp(c.verb, "drop") != 0))
		return cmd_usage(&cmd_hooks_command);
	return cmd_on_store(o, cmd_store, ask, &c);
}

const struct cmd cmd_hooks_command = {
	.name = "hooks",
	.args = "list [--json] | test NAME | replay NAME --since TIME|DURATION|ID | drop NAME",
	.help = "show how the deliveries of events stand, send a test, deliver again, or give up what waits",
	.run = run,
};
