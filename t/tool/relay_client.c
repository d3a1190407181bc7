/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay_client: requests by src/relay/client, for tests that look at what a receiver gets.
 *
 * relay_client [OPTION]... URL...      one request after the other; with --at-once all of them together
 *
 * Each answer is one line of JSON: status, why, retry_after, body, and which of the URLs it is of.
 */
#include <event2/event.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/process.h"
#include "relay/client.h"

struct run {
	struct event_base *base;
	struct client *client;
	struct client_call call;
	struct names headers, hosts;
	char **urls;
	int count, next, answered;
	bool at_once, cancel, inside;
};

static const struct option options[] = {
	{ "method", required_argument, NULL, 'm' },  { "header", required_argument, NULL, 'h' },  { "body", required_argument, NULL, 'b' },
	{ "ca", required_argument, NULL, 'c' },      { "host", required_argument, NULL, 'H' },    { "connect", required_argument, NULL, 'C' },
	{ "timeout", required_argument, NULL, 't' }, { "stall", required_argument, NULL, 's' },   { "max", required_argument, NULL, 'M' },
	{ "at-once", no_argument, NULL, 'a' },       { "cancel", no_argument, NULL, 'x' },        { NULL, 0, NULL, 0 },
};

struct one {
	struct run *run;
	int number;
};

static void begin(struct run *r);

static void answered(void *arg, const struct client_answer *a)
{
	struct one *one = arg;
	struct run *r = one->run;
	cleanup_str struct str line = STR_INIT;

	if (r->inside)
		abort();
	str_addf(&line, "{\"url\":%d,\"status\":%d,\"retry_after\":%llu,\"why\":\"", one->number, a->status, (unsigned long long)a->retry_after);
	str_add_json(&line, a->why, strlen(a->why));
	str_puts(&line, "\",\"body\":\"");
	str_add_json(&line, a->body.buf, a->body.len);
	str_puts(&line, "\"}");
	puts(line.buf);
	fflush(stdout);
	free(one);
	if (++r->answered == r->count)
		event_base_loopbreak(r->base);
	else if (!r->at_once)
		begin(r);
}

static void begin(struct run *r)
{
	struct one *one = xmalloc(sizeof(*one));
	uint64_t id;

	*one = (struct one){ .run = r, .number = r->next };
	r->call.url = r->urls[r->next++];
	r->inside = true;
	id = client_begin(r->client, &r->call, answered, one);
	r->inside = false;
	if (!id)
		abort();
	if (!r->cancel)
		return;
	client_cancel(r->client, id);
	client_cancel(r->client, id);
	free(one);
}

static unsigned number(const char *text)
{
	uint64_t n;

	if (str_parse_u64(text, strlen(text), &n) < 0 || n > UINT32_MAX)
		exit(2);
	return (unsigned)n;
}

static void set_number(struct client_call *c, int opt, const char *value)
{
	unsigned *at = opt == 'C' ? &c->connect_ms : opt == 't' ? &c->timeout_ms : opt == 's' ? &c->stall_s : NULL;

	if (!at)
		exit(2);
	*at = number(value);
}

static void set(struct run *r, int opt, const char *value)
{
	struct client_call *c = &r->call;

	switch (opt) {
	case 'm':
		c->method = value;
		break;
	case 'h':
		names_add(&r->headers, value, strlen(value));
		break;
	case 'b':
		c->body = value;
		c->body_len = strlen(value);
		break;
	case 'c':
		c->ca = value;
		break;
	case 'H':
		names_add(&r->hosts, value, strlen(value));
		break;
	case 'a':
		r->at_once = true;
		break;
	case 'x':
		r->cancel = true;
		break;
	case 'M':
		c->answer_max = number(value);
		break;
	default:
		set_number(c, opt, value);
	}
}

int main(int argc, char **argv)
{
	struct run r = {
		.call = { .method = "POST", .connect_ms = 60000, .timeout_ms = 60000, .answer_max = 65536 }, .headers = NAMES_INIT, .hosts = NAMES_INIT,
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		set(&r, opt, optarg);
	r.urls = argv + optind;
	r.count = argc - optind;
	r.call.headers = &r.headers;
	r.call.hosts = &r.hosts;
	os_signal(SIGPIPE, SIG_IGN);
	r.base = event_base_new();
	r.client = client_open(r.base);
	do
		begin(&r);
	while ((r.at_once || r.cancel) && r.next < r.count);
	event_base_dispatch(r.base);
	client_close(&r.client);
	event_base_free(r.base);
	libevent_global_shutdown();
	names_release(&r.headers);
	names_release(&r.hosts);
	return r.answered == (r.cancel ? 0 : r.count) ? 0 : 1;
}
