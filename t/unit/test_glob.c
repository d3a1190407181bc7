/* SPDX-License-Identifier: Apache-2.0 */
/* base/glob: patterns of tags, beside fnmatch(3), which says the same for those that are valid. */

#include "base/glob.h"

#include <fnmatch.h>

#include "base/mem.h"
#include "random.h"
#include "tap.h"

/* A text of few different characters, so that many patterns match. */
static void random_text(char *out, unsigned max, const char *chars)
{
	unsigned len = below(max + 1);

	for (unsigned i = 0; i < len; i++)
		out[i] = chars[below((unsigned)strlen(chars))];
	out[len] = '\0';
}

static void test_faults(void)
{
	static const struct { const char *pattern, *begin; } t[] = {
		{ "", "is empty" }, { "[", "has a [ without ]" }, { "a[]", "has a [ without ]" }, { "[!]", "has a [ without ]" },
		{ "[a", "has a [ without ]" }, { "[z-a]", "has a range" }, { "a/b", "has a character that" }, { "a:b", "has a character that" },
		{ "a b", "has a character that" }, { "a\\*", "has a character that" }, { "]", "has a character that" }, { "\303\244", "has a character that" },
		{ "[[:digit:]]", "has a character between" }, { "[]a]", "has a character between" }, { "[a/]", "has a character between" },
		{ "[a-\303]", "has a character between" },
	};
	static const char *const good[] = { "*", "?", "v*", "v[0-9]*", "[!0-9]?", "[^a]", "[a-]", "[-a]", "[a-c-e]", "**", "a.b_c-D", "[.]", "[!-a]" };
	char longest[GLOB_MAX + 2];

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *why = glob_fault(t[i].pattern);

		ok(why && strncmp(why, t[i].begin, strlen(t[i].begin)) == 0, "\"%s\" is no pattern: it %s", t[i].pattern, t[i].begin);
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(!glob_fault(good[i]), "\"%s\" is a pattern", good[i]);
	memset(longest, 'a', sizeof(longest));
	longest[GLOB_MAX + 1] = '\0';
	ok(glob_fault(longest) != NULL, "256 bytes are too many");
	longest[GLOB_MAX] = '\0';
	ok(!glob_fault(longest), "255 are not");
}

static void test_match(void)
{
	static const struct { const char *pattern, *text; bool matches; } t[] = {
		{ "v*", "v1.0", true }, { "v*", "v", true }, { "v*", "av", false }, { "v[0-9]*", "v1", true }, { "v[0-9]*", "vx", false },
		{ "?", "a", true }, { "?", "ab", false }, { "*-rc[0-9]", "1.0-rc1", true }, { "*-rc[0-9]", "1.0-rc10", false }, { "*", "", true },
		{ "*.*", ".a", true }, { "[!v]*", "latest", true }, { "[!v]*", "v1", false }, { "V*", "v1", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ok(glob_match(t[i].pattern, t[i].text) == t[i].matches, "%s %s %s", t[i].pattern, t[i].matches ? "matches" : "does not match", t[i].text);
}

static void test_beside_fnmatch(void)
{
	char pattern[9], text[9];
	unsigned same = 0, valid = 0, matched = 0;

	for (unsigned i = 0; i < 300000; i++) {
		random_text(pattern, 8, "aabc-**??[[]]!^");
		random_text(text, 8, "aabc-");
		if (glob_fault(pattern))
			continue;
		valid++;
		matched += glob_match(pattern, text);
		same += glob_match(pattern, text) == (fnmatch(pattern, text, 0) == 0);
		if (same != valid) {
			printf("# %s and %s\n", pattern, text);
			break;
		}
	}
	ok(valid > 10000 && matched > 1000 && matched < valid, "%u random patterns are valid, and %u of them match", valid, matched);
	ok(same == valid, "each matches what fnmatch says");
}

static void test_covers(void)
{
	static const struct { const char *outer, *inner; bool covers; } t[] = {
		{ "*", "v*", true }, { "v*", "*", false }, { "v*", "v[0-9]*", true }, { "v[0-9]*", "v*", false }, { "v*", "v1.0", true },
		{ "[0-9]", "[3-5]", true }, { "[3-5]", "[0-9]", false }, { "[!a]", "[b-d]", true }, { "?", "[a-z]", true }, { "?*", "a*", true },
		{ "?*", "*", false }, { "*-rc*", "v*-rc[0-9]", true }, { "a", "a", true }, { "a", "b", false }, { "a*", "a", true }, { "**", "*", true },
		{ "*", "**", true },
	};
	char outer[7], inner[7], text[7];
	unsigned covered = 0, wrong = 0;

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		ok(glob_covers(t[i].outer, t[i].inner) == t[i].covers, "%s %s %s", t[i].outer, t[i].covers ? "covers" : "does not cover", t[i].inner);
	for (unsigned i = 0; i < 200000; i++) {
		random_text(outer, 6, "ab**?[]!-");
		random_text(inner, 6, "ab**?[]!-");
		if (glob_fault(outer) || glob_fault(inner) || !glob_covers(outer, inner))
			continue;
		covered++;
		for (unsigned j = 0; j < 20; j++) {
			random_text(text, 6, "ab-c");
			wrong += glob_match(inner, text) && !glob_match(outer, text);
		}
	}
	ok(covered > 1000, "%u random patterns cover others", covered);
	is_int(wrong, 0, "no text that the inner one matches is missed by the outer one");
}

int main(void)
{
	test_faults();
	test_match();
	test_beside_fnmatch();
	test_covers();
	ok(glob_is_all("*") && glob_is_all("**") && !glob_is_all("?*") && !glob_is_all("v*"), "stars alone match everything");
	return done_testing();
}
