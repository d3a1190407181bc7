/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_put: JSON text, member by member.
 *
 * Owns nothing.
 */
#include "base/json_put.h"

#include <string.h>

#include "base/time.h"

void json_put_key(struct str *out, const char *key)
{
	if (out->len && !strchr("{[:", out->buf[out->len - 1]))
		str_addc(out, ',');
	if (key)
		str_addf(out, "\"%s\":", key);
}

/* The length of the longest beginning of at most max bytes that ends with a whole character. */
static size_t whole(const char *s, size_t len, size_t max)
{
	size_t at = 0;

	if (len <= max)
		return len;
	while (at < max) {
		size_t n = str_utf8_len(s + at, len - at);

		if (at + (n ? n : 1) > max)
			break;
		at += n ? n : 1;
	}
	return at;
}

void json_put_text(struct str *out, const char *key, const char *s, size_t len, size_t max)
{
	size_t n = whole(s, len, max);

	json_put_key(out, key);
	str_addc(out, '"');
	str_add_json(out, s, n);
	str_puts(out, n < len ? "…\"" : "\"");
}

void json_put_word(struct str *out, const char *key, const char *s)
{
	json_put_text(out, key, s, strlen(s), strlen(s));
}

void json_put_view(struct str *out, const char *key, struct json_view v, size_t max)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind != JSON_STRING)
		return;
	json_view_text(v, &text);
	json_put_text(out, key, text.buf, text.len, max);
}

void json_put_u64(struct str *out, const char *key, uint64_t v)
{
	json_put_key(out, key);
	str_add_u64(out, v);
}

void json_put_bool(struct str *out, const char *key, int v)
{
	json_put_key(out, key);
	str_puts(out, v ? "true" : "false");
}

void json_put_time(struct str *out, const char *key, int64_t seconds)
{
	char text[TIME_RFC3339_MAX];

	time_text(text, seconds);
	if (*text)
		json_put_word(out, key, text);
}
