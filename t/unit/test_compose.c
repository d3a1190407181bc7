/* SPDX-License-Identifier: Apache-2.0 */
/* compose and spelling: letters and marks, Latin-1, and the spellings of a password. */
#include "auth/spelling.h"
#include "base/compose.h"
#include "base/mem.h"
#include "tap.h"

static void test_compose(void)
{
	static const struct {
		const char *in, *out, *what;
	} t[] = {
		{ "", "", "nothing" },
		{ "abc", "abc", "ASCII" },
		{ "u\xcc\x88", "\xc3\xbc", "u and a diaeresis" },
		{ "A\xcc\x8a", "\xc3\x85", "A and a ring" },
		{ "xu\xcc\x88y", "x\xc3\xbcy", "between others" },
		{ "u\xcc\x88\xcc\x8c", "\xc7\x9a", "two marks" },
		{ "e\xcc\xa3\xcc\x82", "\xe1\xbb\x87", "two marks of Vietnamese" },
		{ "\xd0\xb8\xcc\x86", "\xd0\xb9", "a Cyrillic letter" },
		{ "\xce\xb1\xcc\x81", "\xce\xac", "a Greek letter" },
		{ "\xcc\x88u", "\xcc\x88u", "a mark before its letter" },
		{ "1\xcc\x88", "1\xcc\x88", "a mark on a digit" },
		{ "q\xcc\x88\xcc\x81", "q\xcc\x88\xcc\x81", "marks that compose nothing" },
		{ "\xc3\xbc", "\xc3\xbc", "a composed letter" },
		{ "\xf0\x9f\x94\x91u\xcc\x88", "\xf0\x9f\x94\x91\xc3\xbc", "behind a character of four bytes" },
		{ "\xe2\x82\xac", "\xe2\x82\xac", "a sign" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str s = STR_INIT;

		compose_add(&s, t[i].in, strlen(t[i].in));
		is_str(s.buf, t[i].out, "%s", t[i].what);
	}
}

static void test_latin1(void)
{
	cleanup_str struct str s = STR_INIT;

	compose_from_latin1(&s, "a\xfc\xff", 3);
	is_str(s.buf, "a\xc3\xbc\xc3\xbf", "Latin-1 becomes UTF-8");
	str_reset(&s);
	ok(compose_to_latin1(&s, "a\xc3\xbc\xc3\xbf", 5) == 0 && strcmp(s.buf, "a\xfc\xff") == 0, "and back");
	str_reset(&s);
	is_int(compose_to_latin1(&s, "\xe2\x82\xac", 3), -1, "but not all of UTF-8");
	ok(compose_is_utf8("a\xc3\xbc", 3) && compose_is_utf8("", 0), "what is UTF-8");
	ok(!compose_is_utf8("a\xfc", 2) && !compose_is_utf8("\xc3", 1) && !compose_is_utf8("\xc0\x80", 2), "and what is not");
}

static void spelled(const char *text, const char *all, const char *what)
{
	cleanup_spellings struct spellings s;
	cleanup_str struct str got = STR_INIT;

	spellings_init(&s, text, strlen(text));
	for (size_t i = 0; i < s.count; i++)
		str_addf(&got, "%s%s", i ? "|" : "", s.v[i].buf);
	is_str(got.buf, all, "%s", what);
}

static void test_spellings(void)
{
	spelled("secret", "secret", "ASCII has one spelling");
	spelled("", "", "so has nothing");
	spelled("gr\xfcn", "gr\xfcn|gr\xc3\xbcn", "Latin-1 may be UTF-8");
	spelled("gr\xc3\xbcn", "gr\xc3\xbcn|gr\xfcn", "UTF-8 may be Latin-1");
	spelled("gru\xcc\x88n", "gru\xcc\x88n|gr\xc3\xbcn|gr\xfcn", "what is not composed may be both");
	spelled("\xe2\x82\xac", "\xe2\x82\xac", "what Latin-1 lacks may not");
	spelled("1\xcc\x88", "1\xcc\x88", "nor what composes nothing");
}

int main(void)
{
	test_compose();
	test_latin1();
	test_spellings();
	return done_testing();
}
