/* SPDX-License-Identifier: Apache-2.0 */
/* scope: parsing and writing. */

#include "jose/scope.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void test_parse(void)
{
	static const struct {
		const char *text, *want;
		size_t ignored;
	} t[] = {
		{ "", "", 0 },
		{ "   ", "", 0 },
		{ "repository:team/app:pull,push", "repository:team/app:pull,push", 0 },
		{ "repository:team/app:push,pull", "repository:team/app:pull,push", 0 },
		{ "repository:app:*", "repository:app:*", 0 },
		{ "repository:app:delete", "repository:app:delete", 0 },
		{ "registry:catalog:*", "registry:catalog:*", 0 },
		{ "repository(plugin):team/app:pull", "repository(plugin):team/app:pull", 0 },
		{ "repository:host:5000/team/app:pull", "repository:host:5000/team/app:pull", 0 },
		{ "repository:[::1]:5000/app:pull", "repository:[::1]:5000/app:pull", 0 },
		{ "repository:a:pull repository:b:push", "repository:a:pull repository:b:push", 0 },
		{ " repository:a:pull  repository:b:push ", "repository:a:pull repository:b:push", 0 },
		{ "repository:a:pull repository:a:push", "repository:a:pull,push", 0 },
		{ "repository:a:pull repository(plugin):a:push", "repository:a:pull repository(plugin):a:push", 0 },
		{ "repository:a:pull registry:a:*", "repository:a:pull registry:a:*", 0 },
		{ "repository:a:pull,pull,", "repository:a:pull", 0 },
		{ "repository:a:pull,admin", "repository:a:pull", 0 },
		{ "repository:a:admin", "", 1 },
		{ "repository:a:", "", 1 },
		{ "repository:a", "", 1 },
		{ "repository::pull", "", 1 },
		{ "repository", "", 1 },
		{ ":a:pull", "", 1 },
		{ "a:pull", "", 1 },
		{ ":", "", 1 },
		{ "::", "", 1 },
		{ "Repository:a:pull", "", 1 },
		{ "repository:a:PULL", "", 1 },
		{ "widget:a:pull", "", 1 },
		{ "repository():a:pull", "", 1 },
		{ "repository(plugin:a:pull", "", 1 },
		{ "repository(plug in):a:pull", "", 2 },
		{ "repository(Plugin):a:pull", "", 1 },
		{ "repository(a)b:a:pull", "", 1 },
		{ "repository:a\"b:pull", "", 1 },
		{ "repository:a\\b:pull", "", 1 },
		{ "repository:a\tb:pull", "", 1 },
		{ "repository:caf\xc3\xa9:pull", "", 1 },
		{ "openid repository:a:pull offline_access", "repository:a:pull", 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_scopes struct scopes s = SCOPES_INIT;
		cleanup_str struct str out = STR_INIT;

		ok(scopes_parse(&s, t[i].text, strlen(t[i].text), NULL) == 0 && s.ignored == t[i].ignored, "'%s': %zu left out",
		   t[i].text, t[i].ignored);
		scopes_add_text(&out, &s);
		is_str(out.buf, t[i].want, "the rest is '%s'", t[i].want);
	}
}

static void test_parts(void)
{
	cleanup_scopes struct scopes s = SCOPES_INIT;

	scopes_parse(&s, "repository(plugin):host:5000/a:pull,*", 37, NULL);
	is_int(s.count, 1, "one scope is one");
	is_int(s.v[0].type, SCOPE_REPOSITORY, "its type");
	is_str(s.v[0].klass, "plugin", "its class");
	is_str(s.v[0].name, "host:5000/a", "its name, up to the last colon");
	is_int(s.v[0].actions, SCOPE_PULL | SCOPE_ALL, "its actions");
	scopes_parse(&s, "repository:b:push", 17, NULL);
	is_int(s.count, 2, "a parameter that is repeated adds to the set");
}

static void test_bounds(void)
{
	cleanup_str struct str text = STR_INIT, name = STR_INIT;
	cleanup_scopes struct scopes s = SCOPES_INIT, t = SCOPES_INIT, u = SCOPES_INIT;
	cleanup_err struct err e = ERR_INIT;

	for (int i = 0; i < SCOPES_MAX; i++)
		str_addf(&text, "repository:r%d:pull ", i);
	ok(scopes_parse(&s, text.buf, text.len, &e) == 0 && s.count == SCOPES_MAX, "%d scopes are taken", SCOPES_MAX);
	ok(scopes_parse(&s, "repository:r1:push", 18, &e) == 0, "one of them may be named again");
	ok(scopes_parse(&s, "repository:other:pull", 21, &e) < 0 && e.status == 400, "one more is refused, not dropped silently");
	is_int(s.count, SCOPES_MAX, "and not added");
	for (int i = 0; i < SCOPE_NAME_MAX; i++)
		str_addc(&name, 'a');
	str_reset(&text);
	str_addf(&text, "repository:%s:pull", name.buf);
	ok(scopes_parse(&t, text.buf, text.len, &e) == 0 && t.count == 1, "a name of %d bytes is taken", SCOPE_NAME_MAX);
	str_reset(&text);
	str_addf(&text, "repository:%sa:pull", name.buf);
	ok(scopes_parse(&t, text.buf, text.len, &e) == 0 && t.count == 1 && t.ignored == 1, "a longer one left out");
	str_reset(&text);
	while (text.len <= SCOPE_TEXT_MAX)
		str_puts(&text, "repository:a:pull ");
	ok(scopes_parse(&u, text.buf, text.len, &e) < 0 && e.status == 400, "a text over the limit is refused");
	ok(scopes_parse(&u, NULL, 0, &e) == 0 && u.count == 0, "no text asks for nothing");
}

static void test_allow(void)
{
	static const char text[] = "repository:a:pull repository(plugin):a:push repository:b:* registry:catalog:*";
	cleanup_scopes struct scopes s = SCOPES_INIT, none = SCOPES_INIT;

	scopes_parse(&s, text, strlen(text), NULL);
	ok(scopes_allow(&s, SCOPE_REPOSITORY, "a", SCOPE_PULL), "pull on a is granted");
	ok(scopes_allow(&s, SCOPE_REPOSITORY, "a", SCOPE_PULL | SCOPE_PUSH), "the class makes no difference");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "a", SCOPE_DELETE), "delete is not");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "a", SCOPE_PUSH | SCOPE_DELETE), "nor push and delete together");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "a", SCOPE_ALL), "nor everything");
	ok(scopes_allow(&s, SCOPE_REPOSITORY, "b", SCOPE_PULL | SCOPE_PUSH | SCOPE_DELETE), "a star grants each");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "aa", SCOPE_PULL), "another repository is another one");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "", SCOPE_PULL), "so is the empty name");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "catalog", SCOPE_PULL), "a registry's resource is no repository's");
	ok(scopes_allow(&s, SCOPE_REGISTRY, "catalog", SCOPE_ALL), "the catalog is granted");
	ok(!scopes_allow(&s, SCOPE_REPOSITORY, "c", 0), "nothing is not granted on what the set does not name");
	ok(!scopes_allow(&none, SCOPE_REPOSITORY, "a", SCOPE_PULL), "an empty set grants nothing");
}

static void test_quoted(void)
{
	static const struct {
		const char *text, *want;
	} t[] = {
		{ "", "\"\"" },
		{ "https://a/v2/token", "\"https://a/v2/token\"" },
		{ "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"" },
		{ "x\r\nSet-Cookie: y", "\"x  Set-Cookie: y\"" },
		{ "\x7f\t\x01", "\"   \"" },
		{ "caf\xc3\xa9", "\"caf\xc3\xa9\"" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str out = STR_INIT;

		scope_add_quoted(&out, t[i].text);
		is_str(out.buf, t[i].want, "%s is a quoted string", t[i].want);
	}
}

int main(void)
{
	test_parse();
	test_parts();
	test_bounds();
	test_allow();
	test_quoted();
	return done_testing();
}
