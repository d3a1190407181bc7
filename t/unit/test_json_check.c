/* SPDX-License-Identifier: Apache-2.0 */
/* json_check and json_top: the JSON that is accepted, and the members of the outermost object. */

#include <stdlib.h>
#include "base/json_check.h"
#include "base/json_top.h"
#include "base/mem.h"
#include "base/str.h"
#include "tap.h"

static struct json_fault fault;

static int check(const char *s)
{
	return json_check(s, strlen(s), &fault);
}

static void test_good(void)
{
	static const char *const good[] = {
		"{}", "[]", "null", "true", "false", "0", "-0", "1", "10", "-1.5", "0.0", "1e5", "1E+05", "0e-0", "123.456e-7",
		"99999999999999999999999999", "\"\"", "\"x\"", " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\" : { } } \n",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u0000\"", "\"\\u00e9\\u20AC\"", "\"\\ud83d\\ude00\"", "\"\x7f\"",
		"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "[[],{},[{}],\"\",null]", "{\"\":1}", "{\"a\":1,\"A\":2}",
		"{\"a\":{\"a\":{\"a\":1}},\"b\":{\"a\":1}}", "[{\"a\":1},{\"a\":2}]", "{\"a\":1,\"ab\":2,\"abc\":3,\"b\":4}",
		"{\"\\u0061\":1,\"\\u0062\":2}",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		is_int(check(good[i]), 0, "JSON %zu of the good ones passes", i);
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"", " ", "{", "}", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "{,}", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"{\"a\" 1}", "{\"a\":1 \"b\":2}", "{a:1}", "{'a':1}", "{1:1}", "{null:1}", "[}", "{]", "[1}", "{\"a\":1]", "[[]",
		"{}{}", "{} x", "{}]", "1 2", "nul", "nulll", "NULL", "True", "tru", "NaN", "-NaN", "Infinity", "-Infinity",
		"undefined", "01", "-01", "00", "-", "+1", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1_000", "--1", "\"", "\"abc",
		"\"\\\"", "\"\\", "\"\\x41\"", "\"\\u\"", "\"\\u12\"", "\"\\u123g\"", "\"\\U0041\"", "\"\\'\"", "\"a\nb\"", "\"a\tb\"",
		"\"\x01\"", "\"\x1f\"", "/**/{}", "{}//x", "{/**/}", "'a'", "\xef\xbb\xbf{}", "\xfe\xff", "\f{}", "\v{}", "{}\f",
		"\xc2\xa0{}", "[1,2", "{\"a\":[}", ":", ",", "{\"a\"::1}", "{\"a\":1,,\"b\":2}",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(check(bad[i]) < 0 && fault.what && fault.at <= strlen(bad[i]), "JSON %zu of the bad ones is refused", i);
	ok(json_check("{}\0", 3, &fault) < 0 && fault.at == 2, "a NUL behind the value is refused");
	ok(json_check("\0", 1, &fault) < 0, "a NUL alone is refused");
	ok(json_check("{\"a\":\"x\0\"}", 9, &fault) < 0, "a NUL in a string is refused");
	ok(json_check("{\"a\":1}", 6, &fault) < 0, "nothing is read past the length");
	ok(json_check("12x", 2, &fault) == 0, "a number at the very end passes");
	ok(check("[1,\n  tru]") < 0 && fault.at == 6, "a fault has its position");
}

static void test_unicode(void)
{
	static const struct { const char *text, *what; } t[] = {
		{ "\"\xc0\x80\"", "an overlong NUL" },
		{ "\"\xc0\xaf\"", "an overlong slash" },
		{ "\"\xe0\x80\xaf\"", "an overlong slash of three bytes" },
		{ "\"\xf0\x80\x80\xaf\"", "an overlong slash of four bytes" },
		{ "\"\xed\xa0\x80\"", "a raw surrogate" },
		{ "\"\xed\xa0\xbd\xed\xb8\x80\"", "a raw surrogate pair" },
		{ "\"\xf4\x90\x80\x80\"", "a character past U+10FFFF" },
		{ "\"\x80\"", "a continuation byte alone" },
		{ "\"\xc3\"", "half a character before the quote" },
		{ "\"\xff\"", "a byte that never occurs" },
		{ "\"\\ud800\"", "a lone high surrogate" },
		{ "\"\\udc00\"", "a lone low surrogate" },
		{ "\"\\ud800x\"", "a high surrogate before a letter" },
		{ "\"\\ud800\\n\"", "a high surrogate before another escape" },
		{ "\"\\ud800\\u0041\"", "a high surrogate before a letter's escape" },
		{ "\"\\ud800\\ud800\"", "two high surrogates" },
		{ "\"\\ude00\\ud83d\"", "a pair the wrong way round" },
		{ "\"\\ud83d\\ude0\"", "a pair that breaks off" },
		{ "{\"\xc0\x80\":1}", "an overlong NUL in a key" },
		{ "{\"\\udc00\":1}", "a lone surrogate in a key" },
		{ "{\"a\nb\":1}", "a newline in a key" },
		{ "{\"a\\u0000b\":1}", "NUL in a key" },
		{ "{\"\\u0000\":1}", "a key of nothing but NUL" },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++)
		is_int(check(t[i].text), -1, "%s is refused", t[i].what);
}

static void test_duplicates(void)
{
	static const char *const bad[] = {
		"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":1,\"a\":2}",
		"{\"\":1,\"\":2}", "{\"\xc3\xa9\":1,\"\\u00e9\":2}", "{\"\\u00E9\":1,\"\\u00e9\":2}", "{\"/\":1,\"\\/\":2}",
		"{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\ude00\":2}", "[{\"x\":{\"a\":1,\"a\":2}}]", "{\"a\":{\"b\":1},\"a\":{}}",
		"{\"z\":1,\"y\":{\"q\":[{\"z\":1}]},\"z\":2}", "{\"\\n\":1,\"\\u000a\":2}",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(check(bad[i]) < 0 && strcmp(fault.what, "the same key twice") == 0,
		   "the same key twice is refused, case %zu", i);
	ok(check("{\"a\":1, \"b\":2, \"a\":3}") < 0 && fault.at == 15, "the fault is at the second of them");
	is_int(check("{\"a\":{\"b\":1},\"b\":{\"a\":1}}"), 0, "the same key in different objects passes");
	is_int(check("{\"a\":[{\"k\":1},{\"k\":1}],\"k\":1}"), 0, "an inner object's keys are forgotten when it closes");
}

static void test_depth(void)
{
	struct str s = STR_INIT;
	int n, i;

	for (n = JSON_MAX_DEPTH; n <= JSON_MAX_DEPTH + 1; n++) {
		int want = n > JSON_MAX_DEPTH ? -1 : 0;

		str_reset(&s);
		for (i = 0; i < n; i++)
			str_addc(&s, '[');
		str_addc(&s, '1');
		for (i = 0; i < n; i++)
			str_addc(&s, ']');
		is_int(json_check(s.buf, s.len, &fault), want, "%d arrays inside each other: %d", n, want);
		str_reset(&s);
		for (i = 0; i < n; i++)
			str_puts(&s, "{\"a\":");
		str_puts(&s, "null");
		for (i = 0; i < n; i++)
			str_addc(&s, '}');
		is_int(json_check(s.buf, s.len, &fault), want, "%d objects inside each other: %d", n, want);
	}
	str_reset(&s);
	for (i = 0; i < 1000000; i++)
		str_addc(&s, '[');
	is_int(json_check(s.buf, s.len, &fault), -1, "a million open brackets are refused, with no stack used up");
	is_int(fault.at, 32, "at the first that is too deep");
	str_release(&s);
}

static void test_values(void)
{
	struct str s = STR_INIT;
	int n, i;

	for (n = JSON_MAX_VALUES; n <= JSON_MAX_VALUES + 1; n++) {
		int want = n > JSON_MAX_VALUES ? -1 : 0;

		str_reset(&s);
		str_addc(&s, '[');
		for (i = 1; i < n; i++)
			str_puts(&s, i == 1 ? "0" : ",{}");
		str_addc(&s, ']');
		is_int(json_check_few(s.buf, s.len, &fault), want, "%d values in a list are few: %d", n, want);
		is_int(json_check(s.buf, s.len, &fault), 0, "but as many as one likes are JSON");
		str_reset(&s);
		str_addc(&s, '{');
		for (i = 1; i < n; i++)
			str_addf(&s, "%s\"key%d\":\"v\"", i == 1 ? "" : ",", i);
		str_addc(&s, '}');
		is_int(json_check_few(s.buf, s.len, &fault), want, "%d values in an object, its keys not counted: %d", n, want);
	}
	str_release(&s);
}

/* 4 MiB of text that makes the search for equal keys as slow as possible; the last two keys are equal. */
static void test_many_keys(void)
{
	struct str s = STR_INIT;
	int i;

	str_addc(&s, '{');
	for (i = 0; i < 49998; i++)
		str_addf(&s, "\"%070d\":0,", i);
	str_addf(&s, "\"%070d\":0}", 49997);
	is_int(json_check(s.buf, s.len, &fault), -1, "of 49 999 keys with a long common beginning two equal ones are found");
	str_reset(&s);
	str_addc(&s, '{');
	for (i = 0; i < 500000; i++)
		str_addf(&s, "\"%x\":0,", i);
	str_puts(&s, "\"7a11f\":0}");
	is_int(json_check(s.buf, s.len, &fault), -1, "and of half a million short ones");
	ok(strcmp(fault.what, "the same key twice") == 0 && fault.at == s.len - 10, "which is told where it is the second time");
	str_reset(&s);
	for (i = 0; i < 2000000; i++)
		str_puts(&s, "{}");
	ok(json_check(s.buf, s.len, &fault) < 0 && fault.at == 2, "4 MiB of {} are refused at the second of them");
	str_release(&s);
}

static void top(const char *s, const char *key, int rc, const char *want, const char *title)
{
	const char *val;
	size_t len;
	int got = json_top_string(s, strlen(s), key, &val, &len);
	char *text = val ? xstrndup(val, len) : NULL;

	ok(got == rc && (want ? text && strcmp(text, want) == 0 : !text && !len), "top level: %s", title);
	free(text);
}

static void test_top(void)
{
	top("{\"a\":\"x\"}", "a", 1, "x", "a string is found");
	top(" \n{ \"b\" : [1,{\"a\":\"no\"}] , \"a\" : \"x\" } ", "a", 1, "x", "blanks and other members are stepped over");
	top("{\"b\":{\"a\":\"no\"},\"c\":\"a\"}", "a", 0, NULL, "a member further down, or a value, does not count");
	top("{\"a\":\"\"}", "a", 1, "", "an empty string is a string");
	top("{\"a\":1}", "a", 0, NULL, "a number is no string");
	top("{\"a\":null}", "a", 0, NULL, "null is no string");
	top("{\"a\":{}}", "a", 0, NULL, "an object is no string");
	top("{\"a\":\"x\\/y\"}", "a", 0, NULL, "a string with an escape is not given");
	top("{\"b\":\"\\\"a\\\":\\\\\",\"a\":\"x\"}", "a", 1, "x", "quotes inside a string do not end it");
	top("{\"b\":[\"]}\",{\"c\":\"}\"}],\"a\":\"x\"}", "a", 1, "x", "brackets inside a string do not count");
	top("{\"b\":-1.5e3,\"c\":true,\"d\":null ,\"a\":\"x\"}", "a", 1, "x", "numbers and literals are stepped over");
	top("{\"\\u0061\":\"x\"}", "a", 1, "x", "a key written with escapes is the same key");
	top("{\"\\u0061b\":\"x\",\"\\u00e9\":1}", "a", 0, NULL, "a longer one is not");
	top("{\"\\u00e9\xc3\xa9\":\"x\"}", "\xc3\xa9\xc3\xa9", 1, "x", "a key may be written half one way, half the other");
	top("{}", "a", 0, NULL, "an empty object has no member");
	top("{\"aa\":\"x\",\"A\":\"y\"}", "a", 0, NULL, "keys are compared to the letter");
	top("", "a", -1, NULL, "nothing is no object");
	top("[]", "a", -1, NULL, "a list is no object");
	top("\"a\"", "a", -1, NULL, "a string is no object");
	top("{", "a", -1, NULL, "text that ends at once is an error");
	top("{\"a", "a", -1, NULL, "so is text that breaks off in a key");
	top("{\"a\"", "a", -1, NULL, "or behind a key");
	top("{\"a\":", "a", -1, NULL, "or behind a colon");
	top("{\"a\":\"x", "a", -1, NULL, "or in a string");
	top("{\"a\":\"x\\", "a", -1, NULL, "or in an escape");
	top("{\"b\":[[1]", "a", -1, NULL, "or in a list");
	top("{\"b\":1", "a", -1, NULL, "or in a number");
	top("{\"b\":1,", "a", -1, NULL, "or behind a comma");
	top("{\"b\":,\"a\":\"x\"}", "a", -1, NULL, "a member without a value is an error");
	top("{\"b\":1 2,\"a\":\"x\"}", "a", -1, NULL, "so are two values");
}

static void test_top_has(void)
{
	static const char s[] = "{\"a\":1,\"b\":null,\"c\":[],\"d\":{\"e\":1},\"f\":\"null\"}";
	const char *val;
	struct str deep = STR_INIT;
	size_t len;
	int i;

	ok(json_top_has(s, strlen(s), "a") == 1 && json_top_has(s, strlen(s), "c") == 1 &&
	   json_top_has(s, strlen(s), "d") == 1 && json_top_has(s, strlen(s), "f") == 1, "a member of any type is there");
	is_int(json_top_has(s, strlen(s), "b"), 0, "null is not");
	is_int(json_top_has(s, strlen(s), "e"), 0, "nor is one further down");
	is_int(json_top_has("[1]", 3, "a"), -1, "a list has no members");
	ok(json_top_raw(s, strlen(s), "d", &val, &len) == 1 && len == 7 && memcmp(val, "{\"e\":1}", 7) == 0,
	   "a value's text is given as it is written");
	ok(json_top_raw(s, strlen(s), "f", &val, &len) == 1 && len == 6 && *val == '"', "a string with its quotes");
	ok(json_top_raw(s, strlen(s), "x", &val, &len) == 0 && !val && !len, "an absent member has no value");
	str_puts(&deep, "{\"b\":");
	for (i = 0; i < 1000000; i++)
		str_addc(&deep, '[');
	for (i = 0; i < 1000000; i++)
		str_addc(&deep, ']');
	str_puts(&deep, ",\"a\":\"x\"}");
	ok(json_top_string(deep.buf, deep.len, "a", &val, &len) == 1 && len == 1, "a million levels are stepped over");
	is_int(json_top_has(deep.buf, deep.len - 12, "a"), -1, "and not found if the text ends too early");
	str_release(&deep);
}

int main(void)
{
	test_good();
	test_bad();
	test_unicode();
	test_duplicates();
	test_depth();
	test_values();
	test_many_keys();
	test_top();
	test_top_has();
	return done_testing();
}
