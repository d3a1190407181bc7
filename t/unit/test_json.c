/* SPDX-License-Identifier: Apache-2.0 */
/* json: trees and their typed members. */

#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"
#include "base/str.h"
#include "tap.h"

static struct json_fault fault;

static struct json_object *reads(const char *s)
{
	return json_read(s, strlen(s), &fault);
}

static void test_read(void)
{
	static const char *const bad[] = {
		"", "null", " null ", "{\"a\":1,\"a\":2}", "NaN", "{'a':1}", "{\"a\\u0000\":1}", "\"\xc0\x80\"", "{} {}", "[1,]", "{}\xff",
	};
	static const char *const good[] = { "{}", " [] ", "0", "12", "1.5", "\"x\"", "true", "false", " {\"a\":null} \n" };
	struct str s = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		cleanup_json struct json_object *o = reads(good[i]);

		ok(o != NULL, "JSON %zu of the good ones gives a tree", i);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup_json struct json_object *o = json_read(bad[i], strlen(bad[i]), &fault);

		ok(!o && fault.what, "JSON %zu of the bad ones gives none, and says why", i);
	}
	ok(json_read("{}\0junk", 7, &fault) == NULL, "text behind a NUL is not overlooked");
	for (i = 0; i < JSON_MAX_DEPTH; i++)
		str_puts(&s, i % 2 ? "{\"a\":" : "[");
	str_puts(&s, "\"x\"");
	for (i = JSON_MAX_DEPTH; i > 0; i--)
		str_addc(&s, (i - 1) % 2 ? '}' : ']');
	{
		cleanup_json struct json_object *o = json_read(s.buf, s.len, &fault);

		ok(o != NULL, "the deepest text that passes the check gives a tree");
	}
	{
		cleanup_json struct json_object *o = reads("{\"a\":\"\xc3\xa9\\ud83d\\ude00\"}");
		const char *val;
		size_t len;

		ok(o && json_get_string(o, "a", &val, &len) == 1 && strcmp(val, "\xc3\xa9\xf0\x9f\x98\x80") == 0,
		   "strings that are not ASCII come through");
	}
	str_release(&s);
}

static void test_members(void)
{
	cleanup_json struct json_object *o = reads("{\"s\":\"x\\u0000y\",\"e\":\"\",\"n\":7,\"o\":{\"a\":1},\"l\":[1],\"z\":null,"
						   "\"t\":true}");
	struct json_object *v;
	const char *val;
	uint64_t u;
	size_t len;

	ok(json_get_string(o, "s", &val, &len) == 1 && len == 3 && memcmp(val, "x\0y", 3) == 0,
	   "a string is given with its length, NUL included");
	ok(json_get_string(o, "e", &val, &len) == 1 && len == 0 && *val == '\0', "an empty string is found");
	ok(json_get_string(o, "z", &val, &len) == 0 && !val && !len, "null counts as absent");
	ok(json_get_string(o, "x", &val, &len) == 0 && !val, "an absent member is absent");
	ok(json_get_string(o, "n", &val, &len) == -1 && !val, "a number is no string");
	ok(json_get_u64(o, "n", &u) == 1 && u == 7, "a number is found");
	ok(json_get_u64(o, "t", &u) == -1 && json_get_u64(o, "s", &u) == -1 && u == 0, "nothing else is made a number");
	ok(json_get_u64(o, "z", &u) == 0 && json_get_u64(o, "x", &u) == 0, "a number may be absent");
	ok(json_get_object(o, "o", &v) == 1 && json_get_u64(v, "a", &u) == 1, "an object is found");
	ok(json_get_object(o, "l", &v) == -1 && !v && json_get_object(o, "z", &v) == 0, "a list is no object");
	ok(json_get_array(o, "l", &v) == 1 && json_object_array_length(v) == 1, "a list is found");
	ok(json_get_array(o, "o", &v) == -1 && !v && json_get_array(o, "x", &v) == 0, "an object is no list");
	json_cleanup(&o);
	ok(o == NULL, "cleanup leaves no pointer");
}

static void test_integers(void)
{
	static const struct { const char *text; int rc; uint64_t val; } t[] = {
		{ "0", 1, 0 }, { "-0", 1, 0 }, { "1", 1, 1 }, { "9223372036854775807", 1, INT64_MAX },
		{ "9223372036854775808", 1, (uint64_t)INT64_MAX + 1 }, { "18446744073709551614", 1, UINT64_MAX - 1 },
		{ "18446744073709551615", -1, 0 }, { "18446744073709551616", -1, 0 },
		{ "99999999999999999999999999999999", -1, 0 }, { "-1", -1, 0 }, { "-9223372036854775808", -1, 0 },
		{ "-99999999999999999999999999999999", -1, 0 }, { "1.0", -1, 0 }, { "1e3", -1, 0 }, { "2.5", -1, 0 },
		{ "1E0", -1, 0 }, { "\"1\"", -1, 0 }, { "true", -1, 0 }, { "[1]", -1, 0 }, { "{}", -1, 0 }, { "null", 0, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct str s = STR_INIT;
		struct json_object *o;
		uint64_t u = 1;

		str_addf(&s, "{\"n\":%s}", t[i].text);
		o = reads(s.buf);
		ok(json_get_u64(o, "n", &u) == t[i].rc && u == t[i].val, "%s is %s", t[i].text,
		   t[i].rc > 0 ? "an integer" : t[i].rc ? "none" : "absent");
		json_cleanup(&o);
		str_release(&s);
	}
}

int main(void)
{
	test_read();
	test_members();
	test_integers();
	return done_testing();
}
