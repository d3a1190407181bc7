/* SPDX-License-Identifier: Apache-2.0 */
/*
 * references: digests that a stored manifest names.
 *
 * Owns nothing. Knows no disk.
 */
#include "registry/references.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"

void references_release(struct references *r)
{
	free(r->v);
	*r = (struct references)REFERENCES_INIT;
}

static void add(struct references *r, const struct digest *d)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->count++] = *d;
}

static bool is_digest(struct json_object *o, struct digest *d)
{
	return json_object_is_type(o, json_type_string) &&
	       digest_parse(d, json_object_get_string(o), (size_t)json_object_get_string_len(o)) == 0;
}

/* Depth is bounded by json_check. */
static void add_all(struct references *r, struct json_object *o)
{
	struct digest d;
	size_t i;

	if (is_digest(o, &d)) {
		add(r, &d);
	} else if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			add_all(r, json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, val) {
			(void)key;
			add_all(r, val);
		}
	}
}

/*
 * Every quotation mark of a text without a backslash begins a string or ends one, so its strings can be had without a
 * tree. That is nearly every manifest there is, and a collection reads them all. The text has passed json_check.
 */
static bool is_plain(const char *buf, size_t len)
{
	size_t white = 0;

	while (white < len && memchr(" \t\r\n", buf[white], 4))
		white++;
	return white < len && buf[white] == '{' && !memchr(buf, '\\', len) && !memmem(buf, len, "\"subject\"", strlen("\"subject\""));
}

static bool is_key(const char *p, const char *end)
{
	while (p < end && memchr(" \t\r\n", *p, 4))
		p++;
	return p < end && *p == ':';
}

static void add_plain(struct references *r, const char *buf, size_t len)
{
	const char *end = buf + len, *p = buf, *close;
	struct digest d;

	while ((p = memchr(p, '"', (size_t)(end - p))) != NULL && (close = memchr(p + 1, '"', (size_t)(end - p - 1))) != NULL) {
		if (digest_parse(&d, p + 1, (size_t)(close - p - 1)) == 0 && !is_key(close + 1, end))
			add(r, &d);
		p = close + 1;
	}
}

int references_read(struct references *r, const char *buf, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	struct json_object *subject, *digest;
	struct json_fault f;

	*r = (struct references)REFERENCES_INIT;
	if (json_check(buf, len, &f) < 0)
		return 0;
	if (is_plain(buf, len)) {
		add_plain(r, buf, len);
		return 1;
	}
	o = json_read(buf, len, &f);
	if (!o || !json_object_is_type(o, json_type_object))
		return 0;
	if (json_get_object(o, "subject", &subject) == 1 && json_object_object_get_ex(subject, "digest", &digest))
		r->has_subject = is_digest(digest, &r->subject);
	/* The subject keeps what names it, not the other way round. */
	json_object_object_foreach(o, key, val) {
		if (strcmp(key, "subject") != 0)
			add_all(r, val);
	}
	return 1;
}
