/* SPDX-License-Identifier: Apache-2.0 */
/* event: whatever a client sends, an event is one line of JSON that is read back as it was; nothing else is taken for one. */

#include "base/event.h"

#include <stdlib.h>
#include <string.h>

#include "tap.h"

static struct name name(const char *s)
{
	struct name n;

	if (name_parse(&n, s, strlen(s)) < 0)
		abort();
	return n;
}

static bool has(const struct event_line *l, const char *key, const char *text)
{
	return json_view_is(json_view_get(l->json, key), text);
}

static void test_whole(void)
{
	struct name n = name("team/app"), from = name("team/old");
	struct digest d, before;
	struct tag t;
	struct event_by by = { .user = "anna", .login = "token", .remote = "10.0.0.1", .agent = "docker/28", .request_id = "5a", .method = "PUT",
			       .base = "http://r:5000" };
	struct event ev = { .action = EVENT_MOVE, .repository = &n, .from = &from, .tag = &t, .digest = &d, .before = &before, .subject = &d,
			    .media_type = "a/b", .artifact_type = "c/d", .has_size = true, .size = 42, .by = &by };
	cleanup_str struct str line = STR_INIT;
	struct event_line l;
	uint64_t size = 0;

	digest_of(&d, DIGEST_SHA256, "x", 1);
	digest_of(&before, DIGEST_SHA512, "y", 1);
	tag_parse(&t, "v1", 2);
	event_add_line(&line, EVENT_BEGUN, &ev);
	ok(line.buf[line.len - 1] == '\n' && !memchr(line.buf, '\n', line.len - 1), "an event is one line");
	ok(event_parse(&l, line.buf, line.len - 1) == 0, "which is read");
	ok(l.mark == '?' && l.action == EVENT_MOVE && strcmp(l.repository.s, n.s) == 0 && strcmp(l.from.s, from.s) == 0 && strcmp(l.tag.s, "v1") == 0 &&
		   l.has_digest && digest_eq(&l.digest, &d), "as it was");
	ok(has(&l, "before", before.text) && has(&l, "subject", d.text) && has(&l, "media_type", "a/b") && has(&l, "artifact_type", "c/d") &&
		   json_view_u64(json_view_get(l.json, "size"), &size) == 0 && size == 42, "with what it says of the manifest");
	ok(has(&l, "user", "anna") && has(&l, "login", "token") && has(&l, "remote", "10.0.0.1") && has(&l, "agent", "docker/28") &&
		   has(&l, "request_id", "5a") && has(&l, "method", "PUT") && has(&l, "base", "http://r:5000"), "and of who made it");
}

static void test_hostile(void)
{
	struct name n = name("a");
	char agent[2000];
	struct event_by by = { .agent = agent, .user = "a\"b\\c\n\x01\x7f\xff\xe2\x80\xae" };
	struct event ev = { .action = EVENT_REMOVE, .repository = &n, .by = &by };
	cleanup_str struct str line = STR_INIT, text = STR_INIT;
	struct event_line l;

	memset(agent, '\x02', sizeof(agent) - 1);
	agent[sizeof(agent) - 1] = '\0';
	event_add_line(&line, EVENT_DONE, &ev);
	ok(!memchr(line.buf, '\n', line.len - 1) && line.len < EVENT_LINE_MAX, "control bytes and quotes stay within the line, which is bounded");
	ok(event_parse(&l, line.buf, line.len - 1) == 0 && l.action == EVENT_REMOVE && !l.has_digest && !l.tag.len && !l.from.len, "and it is read");
	json_view_text(json_view_get(l.json, "user"), &text);
	ok(strncmp(text.buf, "a\"b\\c\n\x01\x7f\xef\xbf\xbd", 11) == 0, "with the text of the client");
	str_reset(&text);
	json_view_text(json_view_get(l.json, "agent"), &text);
	ok(text.len == EVENT_TEXT_MAX / 6, "or the beginning of it");
}

static void test_worst(void)
{
	char repository[NAME_MAX_LEN + 1], tag[TAG_MAX_LEN + 1], text[1000];
	struct name n;
	struct tag t;
	struct digest d;
	struct event_by by = { text, text, text, text, text, text, text };
	struct event ev = { .action = EVENT_BLOB_DELETE, .repository = &n, .from = &n, .tag = &t, .digest = &d, .before = &d, .subject = &d, .media_type = text,
			    .artifact_type = text, .has_size = true, .size = UINT64_MAX, .by = &by };
	cleanup_str struct str line = STR_INIT;
	struct event_line l;

	memset(repository, 'a', sizeof(repository));
	memset(tag, 'b', sizeof(tag));
	memset(text, '\x1f', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	ok(name_parse(&n, repository, NAME_MAX_LEN) == 0 && tag_parse(&t, tag, TAG_MAX_LEN) == 0, "the longest names");
	digest_of(&d, DIGEST_SHA512, "x", 1);
	event_add_line(&line, EVENT_DONE, &ev);
	ok(line.len <= EVENT_LINE_MAX && event_parse(&l, line.buf, line.len - 1) == 0, "the longest line is within the bound, %zu bytes", line.len);
}

static void test_refused(void)
{
	static const char *const bad[] = {
		"", "+", "{\"action\":\"push\",\"repository\":\"a\"}", "!{\"action\":\"push\",\"repository\":\"a\"}", "+{\"action\":\"push\"}",
		"+{\"repository\":\"a\"}", "+{\"action\":\"pus\",\"repository\":\"a\"}", "+{\"action\":\"push\",\"repository\":\"a\"", "+{\"action\":\"push\",\"repository\":\"A\"}",
		"+{\"action\":\"push\",\"repository\":\"../a\"}", "+{\"action\":\"push\",\"repository\":\"a\",\"tag\":\"/\"}",
		"+{\"action\":\"push\",\"repository\":\"a\",\"digest\":\"sha256:1\"}", "+{\"action\":\"push\",\"repository\":\"a\",\"from\":\"..\"}",
		"+{\"action\":\"push\",\"repository\":\"a\",\"repository\":\"b\"}", "+[\"push\"]",
	};
	struct event_line l;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(event_parse(&l, bad[i], strlen(bad[i])) < 0, "no event: %s", bad[i]);
	ok(event_parse(&l, "+{\"action\":\"lost\"}", 18) == 0 && l.action == EVENT_LOST, "but a loss has no repository");
}

int main(void)
{
	enum event_action a;

	test_whole();
	test_hostile();
	test_worst();
	test_refused();
	ok(event_action_parse(&a, "blob_push", 9) == 0 && a == EVENT_BLOB_PUSH && event_action_parse(&a, "blob", 4) < 0, "actions are known by their names");
	return done_testing();
}
