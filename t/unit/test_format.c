/* SPDX-License-Identifier: Apache-2.0 */
/* format: each kind of event in each form, byte by byte. t/8080-webhook-format.t compares with docker-registry itself. */

#include "relay/format.h"

#include <string.h>

#include "tap.h"

#define ID "00000000000001-00000001"
#define DIGEST "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
#define BY "\"user\":\"anna\",\"login\":\"token\",\"remote\":\"10.0.0.1\",\"agent\":\"docker/28 \\\"x\\\"\",\"request_id\":\"5a\",\"method\":\"PUT\"," \
	   "\"base\":\"https://r.example:5000/prefix\""
#define TIME "\"time\":\"2026-11-29T09:20:03.120Z\""
#define FRAME(action, target) "{\"id\":\"" ID "\",\"timestamp\":\"2026-11-29T09:20:03.120Z\",\"action\":\"" action "\",\"target\":{" target "}," \
	   "\"request\":{\"id\":\"5a\",\"addr\":\"10.0.0.1\",\"host\":\"r.example:5000\",\"method\":\"PUT\",\"useragent\":\"docker/28 \\\"x\\\"\"}," \
	   "\"actor\":{\"name\":\"anna\"},\"source\":{\"addr\":\"node:5000\",\"instanceID\":\"u-u-i-d\"}}"

/* A line about a manifest of 42 bytes with a tag, and what its target is; the same of a blob of 7 bytes in the repository a. */
#define MANIFEST(action, repository, more) "+{" TIME ",\"action\":\"" action "\",\"repository\":\"" repository "\",\"tag\":\"1\",\"digest\":\"" DIGEST "\"" more \
	   ",\"media_type\":\"a/b\",\"size\":42," BY "}"
#define MANIFEST_TARGET(repository) "\"mediaType\":\"a/b\",\"size\":42,\"digest\":\"" DIGEST "\",\"length\":42,\"repository\":\"" repository "\"," \
	   "\"url\":\"https://r.example:5000/prefix/v2/" repository "/manifests/" DIGEST "\",\"tag\":\"1\""
#define BLOB(action, more) "+{" TIME ",\"action\":\"" action "\",\"repository\":\"a\"" more ",\"digest\":\"" DIGEST "\",\"size\":7," BY "}"
#define BLOB_TARGET(from) "\"mediaType\":\"application/octet-stream\",\"size\":7,\"digest\":\"" DIGEST "\",\"length\":7,\"repository\":\"a\"," from \
	   "\"url\":\"https://r.example:5000/prefix/v2/a/blobs/" DIGEST "\""

static const struct format_source source = { .host = "node", .instance = "u-u-i-d" };

static void is_event(const struct format *f, const char *line, const char *want, const char *title)
{
	cleanup_str struct str out = STR_INIT;
	struct event_line ev;
	struct format_event fe = { .id = ID, .ev = &ev };

	if (!ok(event_parse(&ev, line, strlen(line)) == 0, "a line is read: %s", title))
		return;
	f->add(&out, &source, &fe);
	is_str(out.buf, want, "%s", title);
}

static void test_registry(void)
{
	const struct format *f = format_of(ENDPOINT_REGISTRY);

	is_event(f, MANIFEST("push", "team/app", ""), FRAME("push", MANIFEST_TARGET("team/app")), "a push");
	is_event(f, MANIFEST("move", "a", ",\"before\":\"" DIGEST "\""), FRAME("push", MANIFEST_TARGET("a")), "a move is a push");
	is_event(f, MANIFEST("pull", "a", ""), FRAME("pull", MANIFEST_TARGET("a")), "a pull of a manifest");
	is_event(f, BLOB("blob_push", ""), FRAME("push", BLOB_TARGET("")), "a push of a blob");
	is_event(f, BLOB("mount", ",\"from\":\"b/c\""), FRAME("mount", BLOB_TARGET("\"fromRepository\":\"b/c\",")), "a mount");
	is_event(f, BLOB("pull", ""), FRAME("pull", BLOB_TARGET("")), "a pull of a blob");
	is_event(f, "+{" TIME ",\"action\":\"untag\",\"repository\":\"a\",\"tag\":\"1\",\"digest\":\"" DIGEST "\"," BY "}",
		 FRAME("delete", "\"repository\":\"a\",\"tag\":\"1\""), "the removal of a tag");
	is_event(f, "+{" TIME ",\"action\":\"delete\",\"repository\":\"a\",\"digest\":\"" DIGEST "\"," BY "}",
		 FRAME("delete", "\"digest\":\"" DIGEST "\",\"repository\":\"a\""), "the removal of a manifest");
	is_event(f, "+{" TIME ",\"action\":\"blob_delete\",\"repository\":\"a\",\"digest\":\"" DIGEST "\"," BY "}",
		 FRAME("delete", "\"digest\":\"" DIGEST "\",\"repository\":\"a\""), "that of a blob");
	is_event(f, "+{" TIME ",\"action\":\"remove\",\"repository\":\"a\"," BY "}", FRAME("delete", "\"repository\":\"a\""), "that of a repository");
	is_event(f, "+{" TIME ",\"action\":\"rename\",\"repository\":\"new\",\"from\":\"old\"," BY "}", FRAME("delete", "\"repository\":\"old\""),
		 "a rename says that the old name is gone");
	is_event(f, "+{" TIME ",\"action\":\"remove\",\"repository\":\"a\",\"user\":\"root\",\"login\":\"command\"}",
		 "{\"id\":\"" ID "\",\"timestamp\":\"2026-11-29T09:20:03.120Z\",\"action\":\"delete\",\"target\":{\"repository\":\"a\"},"
		 "\"request\":{\"id\":\"\",\"method\":\"\",\"useragent\":\"\"},\"actor\":{\"name\":\"root\"},"
		 "\"source\":{\"addr\":\"node\",\"instanceID\":\"u-u-i-d\"}}",
		 "a command has no request");
	is_event(f, "+{" TIME ",\"action\":\"lost\"}",
		 "{\"id\":\"" ID "\",\"timestamp\":\"2026-11-29T09:20:03.120Z\",\"action\":\"lost\",\"target\":{},"
		 "\"request\":{\"id\":\"\",\"method\":\"\",\"useragent\":\"\"},\"actor\":{},\"source\":{\"addr\":\"node\",\"instanceID\":\"u-u-i-d\"}}",
		 "a loss is about nothing");
}

/* The address of the node has the port by which clients reach it. */
static void test_addresses(void)
{
	static const struct {
		const char *base, *host, *addr;
	} cases[] = {
		{ "http://r.example", "r.example", "node:80" }, { "https://r.example/p", "r.example", "node:443" }, { "http://[::1]:5000", "[::1]:5000", "node:5000" },
		{ "https://[::1]", "[::1]", "node:443" }, { "http://10.0.0.1:81/a:b", "10.0.0.1:81", "node:81" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		cleanup_str struct str line = STR_INIT, want = STR_INIT;

		str_addf(&line, "+{" TIME ",\"action\":\"remove\",\"repository\":\"a\",\"base\":\"%s\"}", cases[i].base);
		str_addf(&want, "{\"id\":\"" ID "\",\"timestamp\":\"2026-11-29T09:20:03.120Z\",\"action\":\"delete\",\"target\":{\"repository\":\"a\"},"
			 "\"request\":{\"id\":\"\",\"host\":\"%s\",\"method\":\"\",\"useragent\":\"\"},\"actor\":{},"
			 "\"source\":{\"addr\":\"%s\",\"instanceID\":\"u-u-i-d\"}}", cases[i].host, cases[i].addr);
		is_event(&format_registry, line.buf, want.buf, cases[i].base);
	}
}

static void test_cloudevents(void)
{
	const struct format *f = format_of(ENDPOINT_CLOUDEVENTS);
#define PUSH TIME ",\"action\":\"push\",\"repository\":\"team/app\",\"tag\":\"1\",\"digest\":\"" DIGEST "\",\"media_type\":\"a/b\",\"size\":42," BY "}"
#define REMOVE TIME ",\"action\":\"remove\",\"repository\":\"a\",\"login\":\"command\"}"

	is_event(f, "+{" PUSH,
		 "{\"specversion\":\"1.0\",\"id\":\"" ID "\",\"source\":\"https://r.example:5000/prefix\",\"type\":\"registry.berth.push\","
		 "\"subject\":\"team/app:1\"," TIME ",\"datacontenttype\":\"application/json\",\"data\":{\"id\":\"" ID "\"," PUSH "}",
		 "a push as a CloudEvent");
	is_event(f, "+{" REMOVE,
		 "{\"specversion\":\"1.0\",\"id\":\"" ID "\",\"source\":\"//node\",\"type\":\"registry.berth.remove\",\"subject\":\"a\"," TIME ","
		 "\"datacontenttype\":\"application/json\",\"data\":{\"id\":\"" ID "\"," REMOVE "}",
		 "a command as one: its source is the machine");
}

static void test_wrap(void)
{
	cleanup_str struct str one = STR_INIT, two = STR_INIT, body = STR_INIT;

	str_puts(&one, "{}");
	str_puts(&two, "{},{}");
	is_str(format_wrap(&format_registry, 1, &one, &body), "application/vnd.docker.distribution.events.v1+json", "the type of an envelope");
	is_str(body.buf, "{\"events\":[{}]}", "an envelope of one");
	format_wrap(&format_registry, 2, &two, &body);
	is_str(body.buf, "{\"events\":[{},{}]}", "an envelope of two");
	is_str(format_wrap(&format_cloudevents, 1, &one, &body), "application/cloudevents+json", "one CloudEvent is structured");
	is_str(body.buf, "{}", "and alone");
	is_str(format_wrap(&format_cloudevents, 2, &two, &body), "application/cloudevents-batch+json", "several are a batch");
	is_str(body.buf, "[{},{}]", "in a list");
}

static void test_test(void)
{
	static const char json[] = "{" TIME ",\"action\":\"test\"}";
	struct event_line ev = { .mark = '+', .action = EVENT_LOST, .json = json_view_of(json, sizeof(json) - 1) };
	struct format_event fe = { .id = "test-1", .action = FORMAT_TEST, .ev = &ev };
	cleanup_str struct str out = STR_INIT;

	format_registry.add(&out, &source, &fe);
	ok(strstr(out.buf, "\"action\":\"test\",\"target\":{}") != NULL, "a test says that it is one, and is about nothing");
	str_reset(&out);
	format_cloudevents.add(&out, &source, &fe);
	ok(strstr(out.buf, "\"type\":\"registry.berth.test\"") && !strstr(out.buf, "subject") && !strstr(out.buf, "lost"), "as a CloudEvent, too");
}

int main(void)
{
	test_registry();
	test_addresses();
	test_cloudevents();
	test_wrap();
	test_test();
	return done_testing();
}
