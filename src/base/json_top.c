/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_top: a walk over the members of the outermost object.
 *
 * Owns nothing, and needs no stack: it skips values by counting brackets. A manifest that was pushed to berth has passed
 * json_check. One that another registry stored has not, and is read as far as possible.
 */
#include "base/json_top.h"

#include <stdbool.h>
#include <string.h>

#include "base/json_check.h"

/* The index behind the string whose first quote is at i, or 0 if the text ends before. */
static size_t skip_string(const char *s, size_t len, size_t i)
{
	for (i++; i < len; i++) {
		if (s[i] == '\\')
			i++;
		else if (s[i] == '"')
			return i + 1;
	}
	return 0;
}

/* The index behind the value at i, or 0 if the text ends before. */
static size_t skip_value(const char *s, size_t len, size_t i)
{
	size_t depth = 0;

	while (i < len) {
		char c = s[i];

		if (c == '"') {
			i = skip_string(s, len, i);
			if (!i)
				return 0;
			if (!depth)
				return i;
			continue;
		}
		if (c == '{' || c == '[') {
			depth++;
		} else if (c == '}' || c == ']') {
			if (!depth)
				return i;
			if (!--depth)
				return i + 1;
		} else if (!depth && (c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) {
			return i;
		}
		i++;
	}
	return 0;
}

/* Whether the inside of a string is `key` after decoding its escapes. */
static bool string_is(const char *s, size_t len, const char *key)
{
	size_t klen = strlen(key), i = 0;
	cleanup_str struct str out = STR_INIT;

	if (!len || !memchr(s, '\\', len))
		return len == klen && memcmp(s, key, len) == 0;
	while (i < len && out.len <= klen) {
		if (s[i] != '\\')
			str_addc(&out, s[i++]);
		else if (json_unescape(s, len, &i, &out) < 0)
			return false;
	}
	return out.len == klen && memcmp(out.buf, key, klen) == 0;
}

static size_t blanks(const char *s, size_t len, size_t i)
{
	while (i < len && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r'))
		i++;
	return i;
}

/* Sets where the value of a member begins and ends; returns as json_top_string does. */
static int find_member(const char *s, size_t len, const char *key, size_t *from, size_t *to)
{
	size_t i = blanks(s, len, 0), start;

	if (i >= len || s[i] != '{')
		return -1;
	i = blanks(s, len, i + 1);
	if (i < len && s[i] == '}')
		return 0;
	while (i < len && s[i] == '"') {
		bool hit;

		start = i;
		i = skip_string(s, len, i);
		if (!i)
			return -1;
		hit = string_is(s + start + 1, i - start - 2, key);
		i = blanks(s, len, i);
		if (i >= len || s[i] != ':')
			return -1;
		start = blanks(s, len, i + 1);
		i = skip_value(s, len, start);
		if (!i || i == start)
			return -1;
		if (hit) {
			*from = start;
			*to = i;
			return 1;
		}
		i = blanks(s, len, i);
		if (i < len && s[i] == '}')
			return 0;
		if (i >= len || s[i] != ',')
			return -1;
		i = blanks(s, len, i + 1);
	}
	return -1;
}

int json_top_raw(const char *s, size_t len, const char *key, const char **val, size_t *vlen)
{
	size_t from, to;
	int rc = find_member(s, len, key, &from, &to);

	*val = NULL;
	*vlen = 0;
	if (rc <= 0)
		return rc;
	*val = s + from;
	*vlen = to - from;
	return 1;
}

int json_top_string(const char *s, size_t len, const char *key, const char **val, size_t *vlen)
{
	int rc = json_top_raw(s, len, key, val, vlen);

	if (rc <= 0)
		return rc;
	if ((*val)[0] != '"' || memchr(*val, '\\', *vlen)) {
		*val = NULL;
		*vlen = 0;
		return 0;
	}
	*val += 1;
	*vlen -= 2;
	return 1;
}

int json_top_has(const char *s, size_t len, const char *key)
{
	const char *val;
	size_t vlen;
	int rc = json_top_raw(s, len, key, &val, &vlen);

	if (rc <= 0)
		return rc;
	return !(vlen == 4 && memcmp(val, "null", 4) == 0);
}
