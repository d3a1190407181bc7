/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hook_state: the state of the delivery to an endpoint, as a line of JSON.
 *
 * Owns its form. Invariant: what hook_state_add() writes, hook_state_parse() reads as it was; nothing else is taken for one.
 */
#include "base/hook_state.h"

#include <string.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mem.h"

/* The members of the struct by their names in JSON. Each getter ends with NULL. */
static char *text_at(struct hook_state *s, size_t i, const char **key, size_t *size)
{
	const struct {
		const char *key;
		char *at;
		size_t size;
	} texts[] = {
		{ "next", s->next, sizeof(s->next) }, { "why", s->why, sizeof(s->why) }, { "asked", s->asked, sizeof(s->asked) },
		{ "outcome", s->outcome, sizeof(s->outcome) }, { "said", s->said, sizeof(s->said) },
	};

	if (i >= ARRAY_LEN(texts))
		return NULL;
	*key = texts[i].key;
	*size = texts[i].size;
	return texts[i].at;
}

static uint64_t *count_at(struct hook_state *s, size_t i, const char **key)
{
	const struct {
		const char *key;
		uint64_t *at;
	} counts[] = {
		{ "delivered", &s->delivered }, { "dead", &s->dead }, { "failed", &s->failed }, { "in_row", &s->in_row },
	};

	if (i >= ARRAY_LEN(counts))
		return NULL;
	*key = counts[i].key;
	return counts[i].at;
}

static int64_t *time_at(struct hook_state *s, size_t i, const char **key)
{
	const struct {
		const char *key;
		int64_t *at;
	} times[] = {
		{ "delivered_at", &s->delivered_at }, { "failed_at", &s->failed_at }, { "next_try", &s->next_try },
	};

	if (i >= ARRAY_LEN(times))
		return NULL;
	*key = times[i].key;
	return times[i].at;
}

static void add_number(struct str *out, const char *key, uint64_t n)
{
	str_addf(out, ",\"%s\":", key);
	str_add_u64(out, n);
}

void hook_state_add(struct str *out, const struct hook_state *state)
{
	struct hook_state s = *state;
	size_t i, size, begin = out->len;
	const char *key, *text;
	const uint64_t *n;
	const int64_t *t;

	for (i = 0; (text = text_at(&s, i, &key, &size)) != NULL; i++) {
		str_addf(out, ",\"%s\":\"", key);
		str_add_shown(out, text, strnlen(text, size - 1), SIZE_MAX);
		str_addc(out, '"');
	}
	for (i = 0; (n = count_at(&s, i, &key)) != NULL; i++)
		add_number(out, key, *n);
	for (i = 0; (t = time_at(&s, i, &key)) != NULL; i++)
		add_number(out, key, *t > 0 ? (uint64_t)*t : 0);
	add_number(out, "status", s.status > 0 ? (uint64_t)s.status : 0);
	out->buf[begin] = '{';
	str_puts(out, "}\n");
}

/* Whole characters of what was said by others: where bytes were no UTF-8, more come back than were written. */
static size_t cut(const struct str *text, size_t max)
{
	size_t len = text->len < max ? text->len : max;

	while (len < text->len && len > 0 && ((unsigned char)text->buf[len] & 0xc0) == 0x80)
		len--;
	return len;
}

/* A member that is absent is empty, or 0: an earlier version may not have had it. */
static int read_text(struct json_view o, const char *key, char *at, size_t size)
{
	cleanup_str struct str text = STR_INIT;
	struct json_view v = json_view_get(o, key);
	size_t len;

	if (v.kind == JSON_ABSENT)
		return 0;
	if (v.kind != JSON_STRING)
		return -1;
	json_view_text(v, &text);
	len = cut(&text, size - 1);
	if (memchr(text.buf, '\0', text.len) || (len < text.len && size != HOOK_WHY_MAX))
		return -1;
	memcpy(at, text.buf, len);
	at[len] = '\0';
	return 0;
}

static int read_number(struct json_view o, const char *key, uint64_t max, uint64_t *out)
{
	struct json_view v = json_view_get(o, key);

	*out = 0;
	if (v.kind == JSON_ABSENT)
		return 0;
	return json_view_u64(v, out) < 0 || *out > max ? -1 : 0;
}

static int read_all(struct hook_state *s, struct json_view o)
{
	const char *key;
	size_t i, size;
	uint64_t *n, number;
	int64_t *t;
	char *text;

	for (i = 0; (text = text_at(s, i, &key, &size)) != NULL; i++)
		if (read_text(o, key, text, size) < 0)
			return -1;
	for (i = 0; (n = count_at(s, i, &key)) != NULL; i++)
		if (read_number(o, key, UINT64_MAX, n) < 0)
			return -1;
	for (i = 0; (t = time_at(s, i, &key)) != NULL; i++) {
		if (read_number(o, key, INT64_MAX, &number) < 0)
			return -1;
		*t = (int64_t)number;
	}
	if (read_number(o, "status", 999, &number) < 0)
		return -1;
	s->status = (int)number;
	return 0;
}

int hook_state_parse(struct hook_state *out, const char *text, size_t len)
{
	struct json_fault f;

	*out = (struct hook_state){ 0 };
	if (len > HOOK_STATE_MAX || json_check(text, len, &f) < 0)
		return -1;
	if (json_view_of(text, len).kind == JSON_OBJECT && read_all(out, json_view_of(text, len)) == 0)
		return 0;
	*out = (struct hook_state){ 0 };
	return -1;
}
