/* SPDX-License-Identifier: Apache-2.0 */
/* str: the string buffer, its encodings, and numbers. */

#include <stdlib.h>
#include "base/mem.h"
#include "base/str.h"
#include "tap.h"

static void test_buffer(void)
{
	struct str s = STR_INIT;
	int i;

	is_str(s.buf, "", "a new buffer is the empty string");
	str_add(&s, "", 0);
	ok(s.buf == str_empty, "adding nothing allocates nothing");
	str_reset(&s);
	is_str(s.buf, "", "an empty buffer can be reset");
	for (i = 0; i < 1000; i++)
		str_addc(&s, 'x');
	is_int(s.len, 1000, "a buffer grows byte by byte");
	is_int(strlen(s.buf), 1000, "a grown buffer is NUL-terminated at its length");
	str_cut(&s, 1001);
	is_int(s.len, 1000, "it cannot be cut to more than it has");
	str_cut(&s, 3);
	is_str(s.buf, "xxx", "but to less");
	str_reset(&s);
	ok(s.len == 0 && s.cap >= 1000 && !*s.buf, "reset empties the buffer and keeps its memory");
	str_add(&s, "a\0b", 3);
	ok(s.len == 3 && memcmp(s.buf, "a\0b", 4) == 0, "a NUL is a byte like others");
	str_reset(&s);
	str_addf(&s, "%d-%s", 7, "x");
	str_addf(&s, "%0300d", 1);
	ok(s.len == 303 && strncmp(s.buf, "7-x000", 6) == 0 && s.buf[302] == '1', "formatted text is added, long text too");
	str_reset(&s);
	str_addf(&s, "%s/%s%%%s%c", "a", "", "b", 'c');
	is_str(s.buf, "a/%bc", "plain text is added at its place between conversions");
	str_reset(&s);
	str_addf(&s, "%d:%s, %.2s", 1, "one", "two");
	is_str(s.buf, "1:one, tw", "behind something else too");
	str_reset(&s);
	str_addf(&s, "plain");
	str_addf(&s, "%s", "");
	is_str(s.buf, "plain", "nothing is added for an empty text");
	str_puts(&s, "x");
	str_release(&s);
	ok(s.buf == str_empty && !s.cap, "a released buffer can be used again");
	str_release(&s);
}

static void test_growth_edges(void)
{
	size_t n;
	bool good = true;

	for (n = 1; n < 300; n++) {
		struct str s = STR_INIT;
		char fill[300];

		memset(fill, 'y', sizeof(fill));
		str_add(&s, fill, n);
		str_addf(&s, "%.*s", (int)n, fill);
		good = good && s.len == 2 * n && s.buf[2 * n] == '\0' && s.cap > s.len;
		str_release(&s);
	}
	ok(good, "every length around a growth step keeps room for the NUL");
}

static void test_secret(void)
{
	static const char nothing[4096];
	struct str s = STR_SECRET;

	str_puts(&s, "password");
	s.len = 3;
	str_reset(&s);
	ok(s.cap && memcmp(s.buf, nothing, s.cap) == 0, "a reset wipes a secret, with the text that was cut off");
	for (int i = 0; i < 200; i++)
		str_addf(&s, "%04d", i);
	is_int(s.len, 800, "a secret's buffer grows as any other");
	ok(strncmp(s.buf, "00000001", 8) == 0 && strcmp(s.buf + 796, "0199") == 0, "and keeps what is in it");
	str_release(&s);
	ok(s.cap == 0 && s.secret, "a released buffer is still one for a secret");
}

static void test_room(void)
{
	struct str s = STR_INIT;
	char *room = str_room(&s, 100);

	memset(room, 'x', 100);
	str_grown(&s, 60);
	is_int(s.len, 60, "of room that was asked for as much as was filled becomes text");
	is_int(strlen(s.buf), 60, "with its end");
	s.max = 70;
	ok(!str_room(&s, 11) && s.over && s.len == 60, "the max of the buffer applies to it");
	str_release(&s);
}

static void test_max(void)
{
	struct str s = STR_INIT;

	s.max = 4;
	str_puts(&s, "abcd");
	ok(!s.over && s.len == 4, "a text as long as the maximum fits");
	str_addc(&s, 'e');
	ok(s.over && s.len == 4, "one byte more is not added, and is remembered");
	str_reset(&s);
	ok(!s.over, "reset forgets it");
	str_puts(&s, "abc");
	str_puts(&s, "de");
	str_puts(&s, "f");
	is_str(s.buf, "abc", "after something that did not fit nothing more is added: there is no hole");
	str_reset(&s);
	str_addf(&s, "%0300d", 1);
	ok(s.over && !s.len, "formatted text that does not fit is not added");
	str_reset(&s);
	str_addf(&s, "%s%s%s", "abc", "de", "f");
	ok(s.over && strcmp(s.buf, "abc") == 0, "of several, those before the first that does not fit are");
	str_release(&s);
}

static void json_is(const char *data, size_t len, const char *want, const char *title)
{
	struct str s = STR_INIT;

	str_add_json(&s, data, len);
	is_str(s.buf, want, "JSON text: %s", title);
	str_release(&s);
}

static void test_json(void)
{
	json_is("plain/text", 10, "plain/text", "plain text and slashes stay");
	json_is("a\"b\\c", 5, "a\\\"b\\\\c", "quote and backslash are escaped");
	json_is("\b\f\n\r\t", 5, "\\b\\f\\n\\r\\t", "the short escapes are used");
	json_is("\0\x01\x1f", 3, "\\u0000\\u0001\\u001f", "other control bytes, NUL too, are \\u escapes");
	json_is("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "UTF-8 stays");
	json_is("a\xffz", 3, "a\xef\xbf\xbdz", "a byte that is no UTF-8 becomes U+FFFD");
	json_is("\xc0\x80", 2, "\xef\xbf\xbd\xef\xbf\xbd", "an overlong NUL becomes U+FFFD");
	json_is("\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "a surrogate becomes U+FFFD");
	json_is("\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd", "a sequence that breaks off becomes U+FFFD");
	json_is("", 0, "", "nothing gives nothing");
	json_is("\x7f~ !#[]", 7, "\x7f~ !#[]", "what lies beside the bytes that are escaped stays");
	json_is("ab\"", 3, "ab\\\"", "an escape may end a text");
	json_is("\"ab", 3, "\\\"ab", "or begin it");
	json_is("ab\"", 2, "ab", "bytes behind the end are not read");
	json_is("a\xc3\xa9" "b\n\xc3\xa9", 7, "a\xc3\xa9" "b\\n\xc3\xa9", "runs begin and end at any character");
	json_is("ab\xc3\xa9", 3, "ab\xef\xbf\xbd", "a sequence that the end cuts becomes U+FFFD");
}

static void test_shown(void)
{
	cleanup_str struct str s = STR_INIT;

	is_int(str_add_shown(&s, "\x7f" "a\"\x7f\n\x01\xff", 7, SIZE_MAX), 7, "without a maximum, all of a text is added");
	is_str(s.buf, "\\u007fa\\\"\\u007f\\n\\u0001\xef\xbf\xbd", "DEL is escaped for logs and terminals, as all else");
	str_reset(&s);
	is_int(str_add_shown(&s, "ab\xc3\xa9", 4, 3), 2, "a character that the maximum would cut is not added");
	is_str(s.buf, "ab", "only what comes before it");
}

static void test_url(void)
{
	struct str s = STR_INIT;

	str_add_urlenc(&s, "aZ09-._~", 8);
	is_str(s.buf, "aZ09-._~", "unreserved characters are not percent-encoded");
	str_reset(&s);
	str_add_urlenc(&s, " &=+%/\0\xff", 8);
	is_str(s.buf, "%20%26%3D%2B%25%2F%00%FF", "all others are, in upper case");
	str_reset(&s);
	is_int(str_add_urldec(&s, "a%2Fb%3a+%00", 12, false), 0, "percent-encoded text is decoded");
	ok(s.len == 6 && memcmp(s.buf, "a/b:+\0", 6) == 0, "in either case, NUL included; plus stays in a path");
	str_reset(&s);
	ok(str_add_urldec(&s, "a+b%2B", 6, true) == 0 && strcmp(s.buf, "a b+") == 0, "plus is a space in a form");
	str_reset(&s);
	is_int(str_add_urldec(&s, "ab%", 3, false), -1, "a percent sign at the end is refused");
	is_str(s.buf, "ab", "the text before it has been added");
	ok(str_add_urldec(&s, "%4", 2, false) < 0, "one hex digit is refused");
	ok(str_add_urldec(&s, "%4g", 3, false) < 0, "a letter that is no hex digit is refused");
	ok(str_add_urldec(&s, "%-1", 3, false) < 0, "a sign is no hex digit");
	ok(str_add_urldec(&s, "%41", 2, false) < 0, "bytes behind the end are not read");
	str_reset(&s);
	ok(str_add_urldec(&s, "%41", 3, false) == 0 && strcmp(s.buf, "A") == 0, "an encoded byte may be all there is");
	str_reset(&s);
	ok(str_add_urldec(&s, "+%41b++%2b", 10, true) == 0 && strcmp(s.buf, " Ab  +") == 0, "encoded bytes and pluses may stand in any order");
	str_reset(&s);
	ok(str_add_urldec(&s, "", 0, true) == 0 && str_add_urldec(&s, "", 0, false) == 0 && !s.len, "nothing gives nothing");
	str_release(&s);
}

static void test_numbers(void)
{
	static const struct { const char *text; int rc; uint64_t val; } t[] = {
		{ "0", 0, 0 }, { "007", 0, 7 }, { "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", -1, 0 }, { "184467440737095516150", -1, 0 }, { "99999999999999999999", -1, 0 },
		{ "", -1, 0 }, { "-1", -1, 0 }, { "+1", -1, 0 }, { " 1", -1, 0 }, { "1 ", -1, 0 }, { "1e3", -1, 0 },
		{ "0x1", -1, 0 },
	};
	uint64_t v;
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		int rc = str_parse_u64(t[i].text, strlen(t[i].text), &v);

		ok(rc == t[i].rc && v == t[i].val, "the number \"%s\" is %s", t[i].text, t[i].rc ? "refused" : "read");
	}
	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct str s = STR_INIT;

		if (t[i].rc == 0 && t[i].text[1] != '0') {
			str_add_u64(&s, t[i].val);
			is_str(s.buf, t[i].text, "the number %s is written", t[i].text);
		}
		str_release(&s);
	}
	ok(str_parse_u64("12x", 2, &v) == 0 && v == 12, "a number ends where its length says");
	ok(str_parse_u64("1\0002", 3, &v) < 0, "a NUL inside a number is refused");
	ok(str_parse_hex("0123456789abcdefx", 16, &v) == 0 && v == UINT64_C(0x0123456789abcdef), "sixteen hex digits are read");
	ok(str_parse_hex("ffffffffffffffff", 16, &v) == 0 && v == UINT64_MAX, "also the largest number");
	ok(str_parse_hex("", 0, &v) < 0 && str_parse_hex("00000000000000000", 17, &v) < 0, "none and seventeen are refused");
	ok(str_parse_hex("A", 1, &v) < 0 && str_parse_hex("g", 1, &v) < 0 && str_parse_hex("/", 1, &v) < 0 && str_parse_hex("0\0", 2, &v) < 0 && v == 0,
	   "and so is what is no lower-case hex digit");
}

static void test_utf8(void)
{
	static const struct { const char *text; size_t len, want; const char *what; } t[] = {
		{ "", 0, 0, "nothing" },
		{ "\0", 1, 1, "NUL" },
		{ "\x7f", 1, 1, "the last of one byte" },
		{ "\x80", 1, 0, "a continuation byte alone" },
		{ "\xbf", 1, 0, "the last continuation byte alone" },
		{ "\xc0\xaf", 2, 0, "an overlong slash" },
		{ "\xc1\xbf", 2, 0, "the last overlong form of two bytes" },
		{ "\xc2\x80", 2, 2, "U+0080" },
		{ "\xdf\xbf", 2, 2, "U+07FF" },
		{ "\xe0\x9f\xbf", 3, 0, "an overlong form of three bytes" },
		{ "\xe0\xa0\x80", 3, 3, "U+0800" },
		{ "\xed\x9f\xbf", 3, 3, "U+D7FF, the last before the surrogates" },
		{ "\xed\xa0\x80", 3, 0, "the first surrogate" },
		{ "\xed\xbf\xbf", 3, 0, "the last surrogate" },
		{ "\xee\x80\x80", 3, 3, "U+E000, the first after them" },
		{ "\xef\xbf\xbf", 3, 3, "U+FFFF" },
		{ "\xf0\x8f\xbf\xbf", 4, 0, "an overlong form of four bytes" },
		{ "\xf0\x90\x80\x80", 4, 4, "U+10000" },
		{ "\xf4\x8f\xbf\xbf", 4, 4, "U+10FFFF, the last" },
		{ "\xf4\x90\x80\x80", 4, 0, "U+110000" },
		{ "\xf5\x80\x80\x80", 4, 0, "a lead byte that is none" },
		{ "\xff", 1, 0, "0xff" },
		{ "\xc3", 1, 0, "two bytes cut to one" },
		{ "\xe2\x82", 2, 0, "three bytes cut to two" },
		{ "\xf0\x9f\x98", 3, 0, "four bytes cut to three" },
		{ "\xc3(", 2, 0, "a second byte that is ASCII" },
		{ "\xe2\x82(", 3, 0, "a third byte that is ASCII" },
		{ "\xf0\x9f\x98(", 4, 0, "a fourth byte that is ASCII" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		is_int(str_utf8_len(t[i].text, t[i].len), t[i].want, "UTF-8: %s is %s", t[i].what,
		       t[i].want ? "well formed" : "ill formed");
}

int main(void)
{
	test_buffer();
	test_growth_edges();
	test_secret();
	test_room();
	test_max();
	test_json();
	test_shown();
	test_url();
	test_numbers();
	test_utf8();
	return done_testing();
}
