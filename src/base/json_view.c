/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_view: walks over JSON text that has passed json_check().
 *
 * Owns nothing. Invariant: no walk leaves its text, whatever that contains; what it finds means something only in checked text.
 */
#include "base/json_view.h"

#include <string.h>

#include "base/json_check.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The end of the string whose first quote is at p. */
static const char *past_string(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p < end ? p + 1 : end;
}

/* The end of the value at p. */
static const char *past_value(const char *p, const char *end)
{
	size_t depth = 0;

	while (p < end) {
		char c = *p;

		if (c == '"') {
			p = past_string(p, end);
			if (!depth)
				return p;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth -= depth > 0;
		else if (!depth && (c == ',' || is_blank(c)))
			return p;
		p++;
		if (!depth && (c == '}' || c == ']'))
			return p;
	}
	return end;
}

static enum json_kind kind_of(char c)
{
	switch (c) {
	case '{':
		return JSON_OBJECT;
	case '[':
		return JSON_LIST;
	case '"':
		return JSON_STRING;
	case 'n':
		return JSON_NULL;
	case 't':
	case 'f':
		return JSON_BOOL;
	default:
		return JSON_NUMBER;
	}
}

static struct json_view view(const char *p, const char *end)
{
	return p < end ? (struct json_view){ kind_of(*p), p, (size_t)(end - p) } : (struct json_view){ JSON_ABSENT, NULL, 0 };
}

struct json_view json_view_of(const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end && is_blank(*s))
		s++;
	while (s < end && is_blank(end[-1]))
		end--;
	return view(s, end);
}

struct json_walk json_walk(struct json_view of)
{
	bool object = of.kind == JSON_OBJECT;

	if ((!object && of.kind != JSON_LIST) || of.len < 2)
		return (struct json_walk){ NULL, NULL, false };
	return (struct json_walk){ of.s + 1, of.s + of.len - 1, object };
}

static const char *past_blanks(const struct json_walk *w, const char *p, char separator)
{
	while (p < w->end && (is_blank(*p) || *p == separator))
		p++;
	return p;
}

bool json_walk_next(struct json_walk *w, struct json_view *key, struct json_view *val)
{
	const char *p = past_blanks(w, w->p, ','), *end;

	if (p == w->end)
		return false;
	if (w->object) {
		end = past_string(p, w->end);
		if (key)
			*key = view(p, end);
		p = past_blanks(w, end, ':');
	}
	w->p = past_value(p, w->end);
	*val = view(p, w->p);
	return true;
}

struct json_view json_view_get(struct json_view o, const char *key)
{
	struct json_view name, val;
	struct json_walk w = json_walk(o);

	while (w.object && json_walk_next(&w, &name, &val))
		if (json_view_is(name, key))
			return val.kind == JSON_NULL ? (struct json_view){ JSON_ABSENT, NULL, 0 } : val;
	return (struct json_view){ JSON_ABSENT, NULL, 0 };
}

void json_view_text(struct json_view string, struct str *out)
{
	const char *s = string.s + 1;
	size_t len = string.len >= 2 ? string.len - 2 : 0, i = 0;

	while (i < len) {
		const char *escape = memchr(s + i, '\\', len - i);
		size_t plain = escape ? (size_t)(escape - s) - i : len - i;

		str_add(out, s + i, plain);
		i += plain;
		if (escape && json_unescape(s, len, &i, out) < 0)
			return;
	}
}

bool json_view_is(struct json_view v, const char *text)
{
	cleanup_str struct str decoded = STR_INIT;
	size_t len = strlen(text);

	/* A character is at most \uXXXX: a text that is much longer is another one, and is not decoded. */
	if (v.kind != JSON_STRING || v.len < len + 2 || v.len > 6 * len + 2)
		return false;
	if (!memchr(v.s, '\\', v.len))
		return v.len == len + 2 && memcmp(v.s + 1, text, len) == 0;
	json_view_text(v, &decoded);
	return decoded.len == len && memcmp(decoded.buf, text, len) == 0;
}

int json_view_u64(struct json_view v, uint64_t *out)
{
	*out = 0;
	if (v.kind != JSON_NUMBER)
		return -1;
	if (v.len == 2 && memcmp(v.s, "-0", 2) == 0)
		return 0;
	return str_parse_u64(v.s, v.len, out) < 0 || *out == UINT64_MAX ? -1 : 0;
}
