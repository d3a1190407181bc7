/* SPDX-License-Identifier: Apache-2.0 */
/* json_view: values of checked text, read in place. */
#include "base/json_view.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/mem.h"
#include "tap.h"

static struct json_view of(const char *s)
{
	struct json_fault f;

	if (json_check(s, strlen(s), &f) < 0)
		abort();
	return json_view_of(s, strlen(s));
}

/* The keys and texts of a walk, as "key=text ..." */
static void walks(const char *s, const char *want, const char *title)
{
	cleanup_str struct str got = STR_INIT;
	struct json_walk w = json_walk(of(s));
	struct json_view key, val;

	while (json_walk_next(&w, &key, &val)) {
		if (got.len)
			str_addc(&got, ' ');
		if (w.object)
			json_view_text(key, &got);
		str_addc(&got, '=');
		str_add(&got, val.s, val.len);
	}
	is_str(got.buf, want, "%s", title);
}

static void test_walk(void)
{
	walks("{}", "", "an empty object");
	walks(" [ ] ", "", "an empty list");
	walks("{\"a\":1}", "a=1", "one member");
	walks(" {\n\t\"a\" : 1 , \"b\":[1,2 , {\"c\":\"}\"}],\"d\":\"x,\\\"]\" } ", "a=1 b=[1,2 , {\"c\":\"}\"}] d=\"x,\\\"]\"", "blanks, brackets and quotes");
	walks("[null,true,false,-1.5e3,\"\",[],{}]", "=null =true =false =-1.5e3 =\"\" =[] ={}", "each kind of value");
	walks("{\"\\u0061\\n\":0}", "a\n=0", "a key with escapes");
	walks("1", "", "a number");
	walks("\"{}\"", "", "a string");
	walks("[[[]],[]]", "=[[]] =[]", "lists in lists");
}

static void test_values(void)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} kinds[] = {
		{ " null ", JSON_NULL }, { "true", JSON_BOOL }, { "false", JSON_BOOL }, { "-0", JSON_NUMBER }, { "\"n\"", JSON_STRING },
		{ "[1]", JSON_LIST }, { "{\"a\":1}", JSON_OBJECT },
	};
	static const struct {
		const char *text;
		int rc;
		uint64_t value;
	} numbers[] = {
		{ "0", 0, 0 }, { "-0", 0, 0 }, { "7", 0, 7 }, { "9223372036854775807", 0, INT64_MAX }, { "18446744073709551614", 0, UINT64_MAX - 1 },
		{ "18446744073709551615", -1, 0 }, { "18446744073709551616", -1, 0 }, { "-1", -1, 0 }, { "1.0", -1, 0 }, { "1e3", -1, 0 },
		{ "\"1\"", -1, 0 }, { "true", -1, 0 }, { "null", -1, 0 }, { "[1]", -1, 0 },
	};
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		is_int(of(kinds[i].text).kind, kinds[i].kind, "the kind of %s", kinds[i].text);
	is_int(json_view_of("", 0).kind, JSON_ABSENT, "nothing is absent");
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		int rc = json_view_u64(of(numbers[i].text), &n);

		ok(rc == numbers[i].rc && (rc < 0 || n == numbers[i].value), "%s as a number", numbers[i].text);
	}
}

static void test_strings(void)
{
	cleanup_str struct str s = STR_INIT;

	json_view_text(of("\"a\\\"\\\\\\/\\u00fc\\ud83d\\udd11z\""), &s);
	is_str(s.buf, "a\"\\/\xc3\xbc\xf0\x9f\x94\x91z", "escapes are decoded");
	str_reset(&s);
	json_view_text(of("\"a\\u0000b\""), &s);
	is_int((intmax_t)s.len, 3, "NUL, too");
	ok(json_view_is(of("\"abc\""), "abc") && json_view_is(of("\"\\u0061bc\""), "abc"), "a string is a text");
	ok(!json_view_is(of("\"abcd\""), "abc") && !json_view_is(of("\"ab\""), "abc") && !json_view_is(of("1"), "1"), "or is not");
	ok(json_view_is(of("\"\""), "") && !json_view_is(of("\"\\u0000\""), ""), "an empty one, too");
	ok(json_view_get(of("{\"a\":{\"b\":null},\"c\":2}"), "c").kind == JSON_NUMBER, "a member is found");
	ok(json_view_get(of("{\"a\":null}"), "a").kind == JSON_ABSENT, "one that is null is absent");
	ok(json_view_get(of("{\"x\":{\"a\":1}}"), "a").kind == JSON_ABSENT, "one further in is another's");
	ok(json_view_get(of("[\"a\",1]"), "a").kind == JSON_ABSENT, "a list has none");
	ok(json_view_get(json_view_get(of("{\"a\":[]}"), "b"), "c").kind == JSON_ABSENT, "nor has what is absent");
}

int main(void)
{
	test_walk();
	test_values();
	test_strings();
	return done_testing();
}
