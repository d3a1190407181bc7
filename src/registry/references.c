/* SPDX-License-Identifier: Apache-2.0 */
/*
 * references: digests that a stored manifest names.
 *
 * Owns nothing. Knows no disk.
 */
#include "registry/references.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"

void references_release(struct references *r)
{
	free(r->v);
	*r = (struct references)REFERENCES_INIT;
}

/* The digest that stands under `key`, if one does. */
static bool digest_in(struct json_object *o, const char *key, struct digest *d)
{
	const char *text;
	size_t len;

	return json_object_is_type(o, json_type_object) && json_get_string(o, key, &text, &len) == 1 &&
	       digest_parse(d, text, len) == 0;
}

static void add(struct references *r, struct json_object *o, const char *key)
{
	struct digest d;

	if (!digest_in(o, key, &d))
		return;
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->count++] = d;
}

static void add_list(struct references *r, struct json_object *o, const char *list, const char *key)
{
	struct json_object *a;
	size_t i;

	if (json_get_array(o, list, &a) != 1)
		return;
	for (i = 0; i < json_object_array_length(a); i++)
		add(r, json_object_array_get_idx(a, i), key);
}

int references_read(struct references *r, const char *buf, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	struct json_object *member;
	struct json_fault f;

	*r = (struct references)REFERENCES_INIT;
	o = json_read(buf, len, &f);
	if (!o || !json_object_is_type(o, json_type_object))
		return 0;
	add_list(r, o, "manifests", "digest");
	r->nmanifests = r->count;
	if (json_get_object(o, "config", &member) == 1)
		add(r, member, "digest");
	add_list(r, o, "layers", "digest");
	add_list(r, o, "fsLayers", "blobSum");
	if (json_get_object(o, "subject", &member) == 1)
		r->has_subject = digest_in(member, "digest", &r->subject);
	return 1;
}
