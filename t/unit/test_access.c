/* SPDX-License-Identifier: Apache-2.0 */
/* access: patterns, and the rights that rules grant. */

#include "auth/access.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "base/str.h"
#include "tap.h"

static void test_patterns(void)
{
	static const struct {
		const char *pattern, *yes, *no;         /* names, separated by spaces */
	} t[] = {
		{ "team/app", "team/app", "team team/app/x xteam/app team/apps tea/m/app" },
		{ "team/*", "team/app team/x", "team team/app/x teams/app x/team/app" },
		{ "team/" "**", "team/app team/app/x team/a/b/c", "team teams/app x/team/app" },
		{ "**", "a a/b a/b/c", "" },
		{ "*", "a team-x", "a/b" },
		{ "*/*", "a/b", "a a/b/c" },
		{ "team/app-*", "team/app-1 team/app-1-2", "team/app team/app-1/x team/xapp-1" },
		{ "*-app", "x-app x-y-app", "app x-apps x/y-app" },
		{ "a*b*c", "abc axbxc abbcc abcbc", "ab ac abcb axc xabc" },
		{ "**" "/app", "app a/app a/b/app", "app/x a/apps a/app/b" },
		{ "a/" "**" "/z", "a/z a/b/z a/b/c/z a/z/z", "a z a/b b/a/z a/z/b" },
		{ "**" "/x/" "**" "/y", "x/y a/x/y x/b/y a/x/b/x/c/y", "x y y/x x/y/z" },
		{ "**" "/a*/" "**", "a/b ab/c x/a/y x/b/ab/c/d", "a x/ab b/b" },
		{ "**" "/" "**", "a a/b", "" },
		{ "a/*/c", "a/b/c", "a/c a/b/b/c" },
		{ "a.b_c", "a.b_c", "aXb_c axb_c" },
	};
	static const char *const bad[] = {
		"", "/", "/a", "a/", "a//b", "A", "a b", "a:b", "**a", "a**", "***", "a/**b", "\xc3\xa4", "a?", "[a]", "a\n",
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *const lists[] = { t[i].no, t[i].yes };

		is_str(pattern_fault(t[i].pattern), NULL, "%s is a pattern", t[i].pattern);
		for (int yes = 0; yes < 2; yes++) {
			const char *p = lists[yes];

			for (size_t len; *p; p += len + (p[len] == ' ')) {
				len = strcspn(p, " ");
				ok(pattern_match(t[i].pattern, p, len) == yes, "%s %s %.*s", t[i].pattern,
				   yes ? "means" : "does not mean", (int)len, p);
				ok(!yes || strncmp(p, t[i].pattern, pattern_head(t[i].pattern)) == 0, "%.*s begins as the pattern does", (int)len, p);
			}
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(pattern_fault(bad[i]) != NULL, "bad pattern %zu is refused", i);
	ok(pattern_is_all("**") && !pattern_is_all("*") && !pattern_is_all("**" "/" "**"), "only ** alone is everything");
}

/* Many stars against a long name that does not match: exponential matching would not end. */
static void test_hostile(void)
{
	cleanup_str struct str pattern = STR_INIT, name = STR_INIT, below = STR_INIT;

	while (pattern.len < 250) {
		str_puts(&pattern, "*a");
		str_puts(&name, "aa");
		str_puts(&below, "a/");
	}
	str_puts(&pattern, "b");
	str_puts(&below, "a");
	ok(!pattern_match(pattern.buf, name.buf, name.len), "stars in one component take no time");
	str_reset(&pattern);
	while (pattern.len < 245)
		str_puts(&pattern, "**" "/a/");
	str_puts(&pattern, "b");
	ok(!pattern_fault(pattern.buf) && !pattern_match(pattern.buf, below.buf, below.len), "nor do those over components");
}

static struct config *load(const char *text)
{
	static char *const none[] = { NULL };
	char file[] = "/tmp/berth-test-access.XXXXXX";
	cleanup_str struct str msg = STR_INIT;
	struct config *c;
	int fd = mkstemp(file);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || close(fd) < 0)
		abort();
	c = config_load(file, none, NULL, &msg);
	if (!c)
		printf("# %s\n", msg.buf);
	unlink(file);
	return c;
}

static bool may(const struct config *c, const char *user, const char *name, enum right right)
{
	return access_may(c, user, name, strlen(name), right, NULL);
}

static void test_rules(void)
{
	cleanup_config struct config *c = load(
		"auth = { remote_user = true; groups = ( { name = \"ci\"; users = [ \"bob\" ]; },"
		" { name = \"alice\"; users = [ ]; } ); access = (\n"
		"{ who = [ \"@anonymous\" ]; repo = \"public/" "**\"; may = [ \"pull\" ]; },\n"
		"{ who = [ \"alice\", \"@ci\" ]; repo = \"team/*\"; may = [ \"push\" ]; },\n"
		"{ who = [ \"@users\" ]; repo = \"shared\"; may = [ \"pull\" ]; },\n"
		"{ who = [ \"bob\" ]; repo = \"shared\"; may = [ \"delete\" ]; },\n"
		"{ who = [ \"@alice\" ]; repo = \"none\"; may = [ \"pull\" ]; },\n"
		"{ who = [ \"admin\" ]; repo = \"**\"; may = [ \"pull\", \"push\", \"delete\" ]; } ); };\n");
	const struct config_rule *rule;
	enum right right;

	if (!ok(c != NULL, "the rules are read"))
		return;
	ok(may(c, NULL, "public/x", RIGHT_PULL), "who is not logged in may pull what everybody may");
	ok(may(c, "alice", "public/x", RIGHT_PULL), "so may who is logged in");
	ok(!may(c, NULL, "public/x", RIGHT_PUSH) && !may(c, NULL, "public/x", RIGHT_DELETE), "but nothing else");
	ok(!may(c, NULL, "public", RIGHT_PULL) && !may(c, NULL, "team/x", RIGHT_PULL), "and nowhere else");
	ok(may(c, "alice", "team/x", RIGHT_PUSH) && may(c, "alice", "team/x", RIGHT_PULL), "who may push may pull");
	ok(!may(c, "alice", "team/x", RIGHT_DELETE), "but not delete");
	ok(may(c, "bob", "team/x", RIGHT_PUSH), "a group's rights are its users'");
	ok(!may(c, "carol", "team/x", RIGHT_PULL), "another user has none");
	ok(!may(c, "ci", "team/x", RIGHT_PULL) && !may(c, "@ci", "team/x", RIGHT_PULL), "a group is no user");
	ok(!may(c, "alice", "none", RIGHT_PULL), "a user is not the group of that name");
	ok(may(c, "carol", "shared", RIGHT_PULL) && !may(c, NULL, "shared", RIGHT_PULL), "@users are those that are logged in");
	ok(may(c, "bob", "shared", RIGHT_PULL) && may(c, "bob", "shared", RIGHT_DELETE), "rights of several rules add up");
	ok(!may(c, "bob", "shared", RIGHT_PUSH), "to no more than that");
	ok(!may(c, "@anonymous", "shared", RIGHT_DELETE) && !may(c, "", "team/x", RIGHT_PULL), "odd names are nobody's");
	ok(access_may(c, "bob", "team/x", 6, RIGHT_PULL, &rule) && rule && rule->line == 3, "the rule that gives it is named");
	ok(!access_may(c, "bob", "x", 1, RIGHT_PULL, &rule) && !rule, "and none where none does");
	ok(access_may_all(c, "admin", RIGHT_DELETE) && !access_may_all(c, "alice", RIGHT_PULL) && !access_may_all(c, NULL, RIGHT_PULL),
	   "who may everywhere is known");
	ok(access_anonymous(c), "that somebody without login has rights is known");
	ok(right_parse("push", &right) == 0 && right == RIGHT_PUSH && right_parse("Push", &right) < 0, "rights have words");
	is_str(right_name(RIGHT_DELETE), "delete", "and words are found again");
}

/* The result of access_patterns(), separated by spaces. */
static const char *patterns(const struct config *c, const char *user, enum right right)
{
	static struct str text = STR_INIT;
	cleanup_names struct names all = NAMES_INIT;

	access_patterns(c, user, right, &all);
	str_reset(&text);
	for (size_t i = 0; i < all.count; i++)
		str_addf(&text, "%s%s", i ? " " : "", all.v[i]);
	return text.buf;
}

static void test_patterns_of(void)
{
	cleanup_config struct config *open = load(""), *closed = load("auth = { remote_user = true; };"), *c = load(
		"auth = { remote_user = true; groups = ( { name = \"ci\"; users = [ \"bob\" ]; } ); access = (\n"
		"{ who = [ \"@anonymous\" ]; repo = \"public/" "**\"; may = [ \"pull\" ]; },\n"
		"{ who = [ \"alice\", \"@ci\" ]; repo = \"team/*\"; may = [ \"push\" ]; },\n"
		"{ who = [ \"bob\" ]; repo = \"shared\"; may = [ \"delete\" ]; } ); };\n");

	if (!ok(open && closed && c, "the rules are read"))
		return;
	is_str(patterns(c, NULL, RIGHT_PULL), "public/" "**", "the patterns of who is not logged in");
	is_str(patterns(c, "bob", RIGHT_PULL), "public/" "** team/*", "of a user, by groups too");
	is_str(patterns(c, "bob", RIGHT_DELETE), "shared", "for one right");
	is_str(patterns(c, "carol", RIGHT_PUSH), "", "none where there are none");
	is_str(patterns(open, NULL, RIGHT_PULL), "**", "without auth all");
	is_str(patterns(closed, "a", RIGHT_PULL), "**", "without rules all");
	is_str(patterns(closed, NULL, RIGHT_PULL), "", "for those that are logged in");
}

static void test_without_rules(void)
{
	cleanup_config struct config *open = load(""), *closed = load("auth = { remote_user = true; };"),
				     *none = load("auth = { remote_user = true; access = ( ); };");

	if (!ok(open && closed && none, "configurations without rules are read"))
		return;
	ok(may(open, NULL, "x", RIGHT_DELETE) && access_may_all(open, NULL, RIGHT_PULL) && access_anonymous(open),
	   "without auth everybody may do everything");
	ok(may(closed, "a", "x", RIGHT_DELETE) && access_may_all(closed, "a", RIGHT_PUSH), "without rules whoever is logged in may");
	ok(!may(closed, NULL, "x", RIGHT_PULL) && !access_may_all(closed, NULL, RIGHT_PULL) && !access_anonymous(closed),
	   "and nobody else");
	ok(!may(none, "a", "x", RIGHT_PULL) && !access_may_all(none, "a", RIGHT_PULL), "an empty list of rules gives nothing to anybody");
}

int main(void)
{
	test_patterns();
	test_hostile();
	test_rules();
	test_patterns_of();
	test_without_rules();
	return done_testing();
}
