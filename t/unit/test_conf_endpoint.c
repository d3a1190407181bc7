/* SPDX-License-Identifier: Apache-2.0 */
/* conf/endpoint: which events are for an endpoint, and what the words of "actions" mean. */

#include "conf/endpoint.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void add(struct names *list, const char *text)
{
	names_add(list, text, strlen(text));
}

/* Whether the endpoint is told of a line of the journal, which has to be one. */
static bool told(const struct config_endpoint *ep, const char *json)
{
	cleanup_str struct str line = STR_INIT;
	struct event_line ev;

	str_addf(&line, "+%s", json);
	if (event_parse(&ev, line.buf, line.len) < 0)
		ok(false, "%s is an event", json);
	return endpoint_concerns(ep, &ev);
}

#define EVENT(action, more) "{\"action\":\"" action "\",\"repository\":\"team/app\"" more "}"
#define TYPE(type) ",\"media_type\":\"" type "\""

static unsigned actions(const char *word)
{
	unsigned a = 0;

	ok(endpoint_action_add(word, &a) == 0, "%s is a word", word);
	return a;
}

static void test_actions(void)
{
	static const char *const words[] = { "push", "delete", "move", "untag", "remove", "rename", "mount", "blob_push", "blob_delete", "pull",
		"quota" };
	struct config_endpoint ep;
	unsigned a = 0, all = 0;

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		all |= actions(words[i]);
	ok(all == actions("all") && !(all & (1u << EVENT_LOST)), "all words together are \"all\", which is every action but the loss of events");
	ok(all + (1u << EVENT_LOST) == (1u << EVENT_ACTIONS) - 1, "and no action is without a word");
	ok(endpoint_action_add("lost", &a) < 0 && endpoint_action_add("", &a) < 0 && endpoint_action_add("Push", &a) < 0 && a == 0, "others mean nothing");

	endpoint_init(&ep, "x:1");
	ok(told(&ep, EVENT("push", "")) && told(&ep, EVENT("move", "")) && told(&ep, EVENT("delete", "")) && told(&ep, EVENT("untag", "")) &&
		   told(&ep, EVENT("remove", "")), "pushes and deletes are told without further words, in all their kinds");
	ok(!told(&ep, EVENT("rename", "")) && !told(&ep, EVENT("mount", "")) && !told(&ep, EVENT("blob_push", "")) && !told(&ep, EVENT("blob_delete", "")) &&
		   !told(&ep, EVENT("pull", "")), "nothing else is");
	ep.actions = actions("move");
	ok(told(&ep, EVENT("move", "")) && !told(&ep, EVENT("push", "")), "a finer word means itself");
	ep.actions = 0;
	ok(told(&ep, "{\"action\":\"lost\"}") && !told(&ep, EVENT("push", "")), "that events are lost concerns everybody");
	endpoint_release(&ep);
}

static void test_repos(void)
{
	struct config_endpoint ep;

	endpoint_init(&ep, "x:1");
	ep.actions = actions("all");
	add(&ep.repos, "other");
	ok(!told(&ep, EVENT("push", "")), "a repository that no pattern names is not told of");
	ok(told(&ep, EVENT("rename", ",\"from\":\"other\"")), "but it is when it had such a name");
	ok(!told(&ep, EVENT("mount", ",\"from\":\"other\"")), "and not when a blob comes from there");
	add(&ep.repos, "team/*");
	ok(told(&ep, EVENT("push", "")), "one of several patterns suffices");
	endpoint_release(&ep);
}

static void test_types(void)
{
	struct config_endpoint ep;

	endpoint_init(&ep, "x:1");
	ep.actions = actions("all");
	add(&ep.ignored_media_types, "application/octet-stream");
	ok(told(&ep, EVENT("push", TYPE("a/b"))) && told(&ep, EVENT("pull", TYPE("a/b"))), "what has another type is told");
	ok(!told(&ep, EVENT("blob_push", "")) && !told(&ep, EVENT("mount", "")) && !told(&ep, EVENT("pull", "")), "blobs have a type that can be ignored");
	ok(told(&ep, EVENT("delete", "")) && told(&ep, EVENT("blob_delete", "")) && told(&ep, EVENT("remove", "")), "what is removed has none");
	add(&ep.ignored_media_types, "a/b");
	ok(!told(&ep, EVENT("push", TYPE("a/b"))) && told(&ep, EVENT("push", TYPE("a/bc"))), "a type is ignored as a whole");
	names_drop(&ep.ignored_media_types, 2);
	add(&ep.media_types, "c/d");
	ok(told(&ep, EVENT("push", TYPE("c/d"))) && !told(&ep, EVENT("push", TYPE("a/b"))) && !told(&ep, EVENT("blob_push", "")), "or only some are told");
	ok(told(&ep, EVENT("untag", "")) && told(&ep, EVENT("delete", "")), "and what is removed");
	endpoint_release(&ep);
}

int main(void)
{
	test_actions();
	test_repos();
	test_types();
	return done_testing();
}
