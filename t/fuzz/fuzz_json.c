/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: json-c and json_top understand text that json_check() accepts in the same way. */

#include "fuzz.h"

#include <ctype.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/json_top.h"
#include "base/json_view.h"
#include "base/mem.h"

#define DEPTH 32        /* doc/API.md, "Manifests" */
#define VALUES 50000

static const char *const keys[] = { "mediaType", "schemaVersion", "subject", "manifests", "a", "" };

struct tally {
	size_t values, strings;
};

/* Checks the depth and number of values that json_check() allows, that all text is UTF-8, and that no key was cut at a NUL. */
static void walk(struct json_object *o, size_t depth, struct tally *t)
{
	size_t i, n;

	CHECK(++t->values <= VALUES);
	switch (json_object_get_type(o)) {
	case json_type_object:
		CHECK(depth < DEPTH);
		json_object_object_foreach(o, key, val) {
			CHECK(fuzz_is_utf8(key, strlen(key)));
			walk(val, depth + 1, t);
		}
		break;
	case json_type_array:
		CHECK(depth < DEPTH);
		n = json_object_array_length(o);
		for (i = 0; i < n; i++)
			walk(json_object_array_get_idx(o, i), depth + 1, t);
		break;
	case json_type_string:
		t->strings++;
		CHECK(fuzz_is_utf8(json_object_get_string(o), (size_t)json_object_get_string_len(o)));
		break;
	case json_type_null:
	case json_type_boolean:
	case json_type_double:
	case json_type_int:
		break;
	}
}

/* json_view reads what json-c has read. */
static void compare(struct json_object *o, struct json_view v)
{
	cleanup_str struct str text = STR_INIT;
	struct json_walk w = json_walk(v);
	struct json_view key, val;
	struct json_object *inner;
	size_t n = 0;
	uint64_t u;

	switch (json_object_get_type(o)) {
	case json_type_object:
	case json_type_array:
		CHECK(v.kind == (json_object_is_type(o, json_type_object) ? JSON_OBJECT : JSON_LIST));
		for (; json_walk_next(&w, &key, &val); n++) {
			str_reset(&text);
			if (w.object) {
				json_view_text(key, &text);
				CHECK(json_object_object_get_ex(o, text.buf, &inner));
			} else {
				CHECK(n < json_object_array_length(o));
				inner = json_object_array_get_idx(o, n);
			}
			compare(inner, val);
		}
		CHECK(n == (w.object ? (size_t)json_object_object_length(o) : json_object_array_length(o)));
		break;
	case json_type_string:
		CHECK(v.kind == JSON_STRING);
		json_view_text(v, &text);
		CHECK(text.len == (size_t)json_object_get_string_len(o) && memcmp(text.buf, json_object_get_string(o), text.len) == 0);
		break;
	case json_type_null:
		CHECK(v.kind == JSON_NULL);
		break;
	case json_type_boolean:
		CHECK(v.kind == JSON_BOOL);
		break;
	case json_type_double:
	case json_type_int:
		CHECK(v.kind == JSON_NUMBER);
		if (json_view_u64(v, &u) == 0 && u <= INT64_MAX)
			CHECK(json_object_get_int64(o) == (int64_t)u);
		break;
	}
}

/* The index behind the string at i, whose surrogates must be pairs. */
static size_t past_string(const char *s, size_t i)
{
	bool high = false;

	for (i++; s[i] != '"' || high; ) {
		bool escape = s[i] == '\\' && s[i + 1] == 'u', half = escape && tolower((unsigned char)s[i + 2]) == 'd';
		bool first = half && strchr("89abAB", s[i + 3]), second = half && strchr("cdefCDEF", s[i + 3]);

		CHECK(high == second);
		high = first;
		i += escape ? 6 : s[i] == '\\' ? 2 : 1;
	}
	return i;
}

/* The end of the number at i, as RFC 8259 writes it. */
static size_t past_number(const char *s, size_t len, size_t i)
{
	i += s[i] == '-';
	CHECK(i < len && isdigit((unsigned char)s[i]));
	CHECK(s[i] != '0' || i + 1 == len || !isdigit((unsigned char)s[i + 1]));
	while (i < len && s[i] && strchr("0123456789.eE+-", s[i]))
		i++;
	CHECK(isdigit((unsigned char)s[i - 1]));
	return i;
}

/* The number of values, counted by the characters between them: each value follows '[', ',' or ':', or is the first. */
static size_t count_values(const char *s, size_t len)
{
	size_t n = 1, i;
	bool object[DEPTH + 1] = { false }, fresh = false;
	size_t depth = 0;

	for (i = 0; i < len; i++) {
		char c = s[i];

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
			continue;
		if (fresh && !object[depth] && c != ']')
			n++;
		fresh = false;
		if (c == '"') {
			i = past_string(s, i);
		} else if (c == '-' || isdigit((unsigned char)c)) {
			i = past_number(s, len, i) - 1;
		} else if (c == '{' || c == '[') {
			CHECK(depth < DEPTH);
			object[++depth] = c == '{';
			fresh = true;
		} else if (c == '}' || c == ']') {
			depth--;
		} else if (c == ':' || (c == ',' && !object[depth])) {
			n++;
		}
	}
	CHECK(depth == 0);
	return n;
}

/* json_get_u64() returns a number as it is written, or none. */
static void check_number(struct json_object *o, const char *key, const char *raw, size_t len)
{
	cleanup_str struct str text = STR_INIT;
	uint64_t u;

	if (json_get_u64(o, key, &u) != 1)
		return;
	str_addf(&text, "%llu", (unsigned long long)u);
	CHECK((text.len == len && memcmp(text.buf, raw, len) == 0) || (u == 0 && len == 2 && memcmp(raw, "-0", 2) == 0));
}

/* One member of the outermost object: json_top and the tree both have it, or neither. */
static void check_member(struct json_object *o, const char *s, size_t len, const char *key)
{
	cleanup_json struct json_object *alone = NULL;
	struct json_object *v = NULL;
	struct json_fault f;
	const char *raw, *text;
	size_t rlen, tlen;
	int has = json_top_has(s, len, key), found = json_top_raw(s, len, key, &raw, &rlen);
	int string = json_top_string(s, len, key, &text, &tlen);

	if (!json_object_is_type(o, json_type_object)) {
		CHECK(has == -1 && found == -1 && string == -1 && !raw && !text);
		return;
	}
	CHECK(found == (json_object_object_get_ex(o, key, &v) ? 1 : 0) && has == (v != NULL));
	if (!found) {
		CHECK(!raw && !rlen && !text && !tlen && string == 0);
		return;
	}
	CHECK(raw > s && raw + rlen < s + len && json_check(raw, rlen, &f) == 0);
	alone = json_read(raw, rlen, &f);
	CHECK(json_object_equal(alone, v));
	check_number(o, key, raw, rlen);
	if (string == 1) {
		CHECK(json_object_is_type(v, json_type_string) && tlen == (size_t)json_object_get_string_len(v));
		CHECK(memcmp(text, json_object_get_string(v), tlen) == 0);
	} else {
		CHECK(string == 0 && !text && !tlen && (*raw != '"' || memchr(raw, '\\', rlen)));
	}
}

/* For a text that is not JSON, json_top still returns a part of it. */
static void check_any(const char *s, size_t len, const char *key)
{
	const char *raw, *text;
	size_t rlen, tlen;
	int found = json_top_raw(s, len, key, &raw, &rlen), string = json_top_string(s, len, key, &text, &tlen);

	CHECK(found >= -1 && found <= 1 && string >= -1 && string <= found);
	CHECK(found == 1 ? raw > s && rlen > 0 && raw + rlen <= s + len : !raw && !rlen);
	CHECK(string == 1 ? text > s && text + tlen <= s + len : !text && !tlen);
	CHECK(json_top_has(s, len, key) <= found);
}

/* Any bytes are JSON after escaping, and parsing restores them if they were UTF-8. */
static void check_escaped(const char *s, size_t len)
{
	cleanup_str struct str quoted = STR_INIT, shown = STR_INIT;
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;

	str_addc(&quoted, '"');
	str_add_json(&quoted, s, len);
	str_addc(&quoted, '"');
	CHECK(json_check(quoted.buf, quoted.len, &f) == 0);
	CHECK(str_add_shown(&shown, s, len, SIZE_MAX) == len && !fuzz_has_control(shown.buf, shown.len));
	o = json_read(quoted.buf, quoted.len, &f);
	CHECK(json_object_is_type(o, json_type_string));
	if (fuzz_is_utf8(s, len))
		CHECK((size_t)json_object_get_string_len(o) == len && memcmp(json_object_get_string(o), s, len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = size ? (const char *)data : "";
	cleanup_json struct json_object *o = NULL;
	struct json_fault f = { "untouched", SIZE_MAX };
	struct tally t = { 0 };
	size_t i;
	bool ok = json_check_few(s, size, &f) == 0;

	for (i = 0; i < ARRAY_LEN(keys); i++)
		check_any(s, size, keys[i]);
	check_escaped(s, size < 4096 ? size : 4096);
	if (!ok) {
		CHECK(f.what && f.at <= size);
		CHECK(!json_read(s, size, &f) && f.what && f.at <= size);
		return 0;
	}
	CHECK(fuzz_is_utf8(s, size));
	o = json_read(s, size, &f);
	if (!o) {       /* json-c has no object for null */
		while (size && strchr(" \t\r\n", *s)) {
			s++;
			size--;
		}
		CHECK(size >= 4 && memcmp(s, "null", 4) == 0);
		return 0;
	}
	compare(o, json_view_of(s, size));
	walk(o, 0, &t);
	CHECK(t.values == count_values(s, size));
	for (i = 0; i < ARRAY_LEN(keys); i++)
		check_member(o, s, size, keys[i]);
	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, val) {
			(void)val;
			check_member(o, s, size, key);
			if (++t.strings > 1000)
				break;
		}
	}
	return 0;
}
