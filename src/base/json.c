/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json: json-c behind json_check.
 *
 * Owns the calls of json-c's parser. Invariant: it parses only text that has passed json_check_few, so that its leniency has no
 * effect. Its STRICT and UTF-8 flags are off: they would add nothing, and what they refuse changes from release to release
 * (0.18 refuses every string that is not ASCII).
 */

#include <json-c/json_tokener.h>
#include <limits.h>
#include <string.h>
#include "base/json.h"
#include "base/json_check.h"

static void tokener_cleanup(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

void json_cleanup(struct json_object **o)
{
	if (*o)
		json_object_put(*o);
	*o = NULL;
}

struct json_object *json_read(const char *s, size_t len, struct json_fault *f)
{
	__attribute__((cleanup(tokener_cleanup))) struct json_tokener *t = NULL;
	struct json_object *o;

	if (len > INT_MAX) {
		*f = (struct json_fault){ "a text that is too long", 0 };
		return NULL;
	}
	if (json_check_few(s, len, f) < 0)
		return NULL;
	t = json_tokener_new_ex(JSON_MAX_DEPTH + 1);
	if (!t) {
		*f = (struct json_fault){ "out of memory", 0 };
		return NULL;
	}
	o = json_tokener_parse_ex(t, s, (int)len);
	/* the parser cannot know that a number at the end is complete until another byte follows */
	if (!o && json_tokener_get_error(t) == json_tokener_continue)
		o = json_tokener_parse_ex(t, " ", 1);
	if (!o)
		*f = (struct json_fault){ "only null", 0 };
	return o;
}

/* The member, borrowed; NULL if it is absent or null. */
static struct json_object *member(struct json_object *o, const char *key)
{
	struct json_object *v = NULL;

	json_object_object_get_ex(o, key, &v);
	return v;
}

int json_get_string(struct json_object *o, const char *key, const char **val, size_t *len)
{
	struct json_object *v = member(o, key);

	*val = NULL;
	*len = 0;
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_string))
		return -1;
	*val = json_object_get_string(v);
	*len = (size_t)json_object_get_string_len(v);
	return 1;
}

int json_get_u64(struct json_object *o, const char *key, uint64_t *val)
{
	struct json_object *v = member(o, key);
	uint64_t u;

	*val = 0;
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_int) || json_object_get_int64(v) < 0)
		return -1;
	/* json-c returns its largest number for all that are larger, so this one may be any of them */
	u = json_object_get_uint64(v);
	if (u == UINT64_MAX)
		return -1;
	*val = u;
	return 1;
}

int json_get_object(struct json_object *o, const char *key, struct json_object **val)
{
	struct json_object *v = member(o, key);

	*val = NULL;
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_object))
		return -1;
	*val = v;
	return 1;
}

int json_get_array(struct json_object *o, const char *key, struct json_object **val)
{
	struct json_object *v = member(o, key);

	*val = NULL;
	if (!v)
		return 0;
	if (!json_object_is_type(v, json_type_array))
		return -1;
	*val = v;
	return 1;
}
