/* SPDX-License-Identifier: Apache-2.0 */
/* hook_state: a state is one line of JSON that is read back as it was; nothing else is taken for one. */

#include "base/hook_state.h"

#include <string.h>

#include "tap.h"

static bool same(const struct hook_state *a, const struct hook_state *b)
{
	return strcmp(a->next, b->next) == 0 && a->delivered == b->delivered && a->dead == b->dead && a->failed == b->failed && a->in_row == b->in_row &&
	       a->delivered_at == b->delivered_at && a->failed_at == b->failed_at && a->next_try == b->next_try && a->status == b->status &&
	       strcmp(a->why, b->why) == 0 && strcmp(a->asked, b->asked) == 0 && strcmp(a->outcome, b->outcome) == 0 &&
	       strcmp(a->said, b->said) == 0;
}

static const struct hook_state nothing;

static void test_whole(void)
{
	struct hook_state s = { .next = "064f3a21b7c9d0-0001f2a4", .delivered = 7, .dead = UINT64_MAX - 1, .failed = 3, .in_row = 2, .delivered_at = 1796000000,
				.failed_at = INT64_MAX, .next_try = 1796000001, .status = 503, .why = "503 \"busy\" \xc3\xa4", .asked = "a1b2",
				.outcome = HOOK_DONE, .said = "sent" };
	cleanup_str struct str line = STR_INIT;
	struct hook_state back;

	str_puts(&line, "before");
	hook_state_add(&line, &s);
	ok(strncmp(line.buf, "before{\"next\":", 14) == 0 && line.buf[line.len - 1] == '\n' && !memchr(line.buf, '\n', line.len - 1), "a state is one line");
	ok(hook_state_parse(&back, line.buf + 6, line.len - 6) == 0 && same(&s, &back), "which is read as it was");
	str_reset(&line);
	hook_state_add(&line, &nothing);
	ok(hook_state_parse(&back, line.buf, line.len) == 0 && same(&nothing, &back), "one that has nothing, too");
	ok(hook_state_parse(&back, "{}", 2) == 0 && same(&nothing, &back), "what a file lacks is empty");
	ok(hook_state_parse(&back, "{\"more\":[1],\"dead\":5}", 21) == 0 && back.dead == 5, "what it has beside that is passed over");
}

static void test_longest(void)
{
	cleanup_str struct str line = STR_INIT;
	struct hook_state s = { 0 }, back;

	memset(s.why, '\x01', sizeof(s.why) - 1);
	memset(s.said, '\x7f', sizeof(s.said) - 1);
	memset(s.next, 'f', sizeof(s.next) - 1);
	memset(s.asked, '"', sizeof(s.asked) - 1);
	s.delivered = s.dead = s.failed = s.in_row = UINT64_MAX - 1;
	hook_state_add(&line, &s);
	ok(line.len <= HOOK_STATE_MAX, "the longest state is not longer than a file may be: %zu", line.len);
	ok(hook_state_parse(&back, line.buf, line.len) == 0 && same(&s, &back), "and is read as it was");
	memset(s.why, 'x', sizeof(s.why));
	str_reset(&line);
	hook_state_add(&line, &s);
	ok(hook_state_parse(&back, line.buf, line.len) == 0 && strlen(back.why) == sizeof(s.why) - 1, "a text without its end is cut");
	memset(s.why, '\xff', sizeof(s.why) - 1);
	s.why[sizeof(s.why) - 1] = '\0';
	str_reset(&line);
	hook_state_add(&line, &s);
	ok(line.len <= HOOK_STATE_MAX && hook_state_parse(&back, line.buf, line.len) == 0 && strlen(back.why) == 255 && memcmp(back.why, "\xef\xbf\xbd", 3) == 0,
	   "so is one that is no UTF-8");
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"", " ", "[]", "5", "\"next\"", "{", "{\"dead\":1", "{\"dead\":\"1\"}", "{\"dead\":-1}", "{\"dead\":1.5}", "{\"status\":1000}", "{\"next_try\":9223372036854775808}",
		"{\"why\":5}", "{\"why\":\"a\\u0000b\"}", "{\"next\":\"0123456789012345678901234567890123456789\"}", "{\"dead\":1}{", "{\"dead\":1,\"dead\":2}",
	};
	cleanup_str struct str line = STR_INIT;
	struct hook_state back;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(hook_state_parse(&back, bad[i], strlen(bad[i])) < 0 && same(&nothing, &back), "none is read from \"%s\"", bad[i]);
	str_puts(&line, "{\"dead\":1,\"more\":\"");
	while (line.len < HOOK_STATE_MAX)
		str_addc(&line, 'x');
	str_puts(&line, "\"}");
	ok(hook_state_parse(&back, line.buf, line.len) < 0, "nor from what is too long");
}

int main(void)
{
	test_whole();
	test_longest();
	test_bad();
	return done_testing();
}
