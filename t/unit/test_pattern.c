/* SPDX-License-Identifier: Apache-2.0 */
/* base/pattern: which pattern matches all that another one matches. */

#include "base/pattern.h"

#include "base/mem.h"
#include "random.h"
#include "tap.h"

/* Up to four components of these. */
static void random_path(char *out, const char *const *parts, unsigned count)
{
	unsigned n = 1 + below(4);

	for (*out = '\0'; n--; strcat(out, n ? "/" : ""))
		strcat(out, parts[below(count)]);
}

static void test_known(void)
{
	static const struct { const char *outer, *inner; bool covers; } t[] = {
		{ "**", "a", true }, { "**", "a/*", true }, { "**", "**", true }, { "*", "a", true }, { "*", "**", false }, { "*", "a/b", false },
		{ "a/**", "a/b/c", true }, { "a/**", "a", false }, { "a/**", "a/*", true }, { "a/**", "a/**", true }, { "a/*", "a/**", false },
		{ "a/**/b", "a/b", true }, { "a/**/b", "a/*/c/b", true }, { "a/**/b", "a/**", false }, { "a/**", "a/**/b", true },
		{ "**/b", "a/b", true }, { "**/b", "**/a/b", true }, { "app-*", "app-x*", true }, { "app-x*", "app-*", false }, { "team/*", "team/app-*", true },
		{ "a", "a", true }, { "a", "b", false }, { "**/**", "a/b", true }, { "a/**/**", "a/**", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ok(pattern_covers(t[i].outer, t[i].inner) == t[i].covers, "%s %s %s", t[i].outer, t[i].covers ? "covers" : "does not cover", t[i].inner);
}

static void test_random(void)
{
	static const char *const of_pattern[] = { "a", "b", "a*", "*", "**", "*b" }, *const of_name[] = { "a", "b", "ab", "c" };
	char outer[64], inner[64], name[64];
	unsigned covered = 0, wrong = 0;

	for (unsigned i = 0; i < 100000; i++) {
		random_path(outer, of_pattern, ARRAY_LEN(of_pattern));
		random_path(inner, of_pattern, ARRAY_LEN(of_pattern));
		if (!pattern_covers(outer, inner))
			continue;
		covered++;
		for (unsigned j = 0; j < 20; j++) {
			random_path(name, of_name, ARRAY_LEN(of_name));
			wrong += pattern_match(inner, name, strlen(name)) && !pattern_match(outer, name, strlen(name));
		}
	}
	ok(covered > 1000, "%u random patterns cover others", covered);
	is_int(wrong, 0, "no name that the inner one matches is missed by the outer one");
}

static void test_longest(void)
{
	char longest[256];

	for (size_t i = 0; i < sizeof(longest) - 1; i++)
		longest[i] = i % 2 ? '/' : 'a';
	longest[sizeof(longest) - 1] = '\0';
	ok(pattern_covers(longest, longest) && pattern_covers("**/a", longest), "of the longest pattern, too");
}

int main(void)
{
	test_known();
	test_random();
	test_longest();
	return done_testing();
}
