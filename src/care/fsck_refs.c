/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fsck_refs: descriptors in stored manifests.
 *
 * Owns nothing. Knows no disk.
 */
#include "care/fsck_refs.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/json_check.h"
#include "base/mediatype.h"
#include "base/mem.h"

void fsck_refs_release(struct fsck_refs *r)
{
	free(r->v);
	*r = (struct fsck_refs){ 0 };
}

const char *fsck_ref_text(enum fsck_ref_kind kind)
{
	static const char *const texts[] = {
		[FREF_CONFIG] = "config", [FREF_LAYER] = "layer", [FREF_MANIFEST] = "child", [FREF_OTHER] = "child"
	};

	return texts[kind];
}

static void add(struct fsck_refs *r, struct json_object *o, const char *key, enum fsck_ref_kind kind)
{
	struct fsck_ref ref = { .kind = kind };
	struct json_object *urls;
	const char *text, *type;
	size_t len, tlen;
	bool typed;

	/* What names no digest that we know names nothing that could be looked for. */
	if (!json_object_is_type(o, json_type_object) || json_get_string(o, key, &text, &len) != 1 ||
	    digest_parse(&ref.digest, text, len) < 0)
		return;
	typed = json_get_string(o, "mediaType", &type, &tlen) == 1;
	if (kind == FREF_MANIFEST && (!typed || mediatype_parse(type, tlen) == MEDIATYPE_OTHER))
		ref.kind = FREF_OTHER;
	if (kind == FREF_LAYER)
		ref.optional = (typed && mediatype_nondistributable(type, tlen)) ||
			       (json_get_array(o, "urls", &urls) == 1 && json_object_array_length(urls) > 0);
	ref.has_size = json_get_u64(o, "size", &ref.size) == 1;
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 16;
		r->v = xreallocarray(r->v, r->cap, sizeof(*r->v));
	}
	r->v[r->count++] = ref;
}

static void add_list(struct fsck_refs *r, struct json_object *o, const char *list, const char *key,
		     enum fsck_ref_kind kind)
{
	struct json_object *a;
	size_t i;

	if (json_get_array(o, list, &a) != 1)
		return;
	for (i = 0; i < json_object_array_length(a); i++)
		add(r, json_object_array_get_idx(a, i), key, kind);
}

int fsck_refs_read(struct fsck_refs *r, const char *buf, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	struct json_object *config;
	struct json_fault f;

	*r = (struct fsck_refs){ 0 };
	o = json_read(buf, len, &f);
	if (!o || !json_object_is_type(o, json_type_object))
		return 0;
	if (json_get_object(o, "config", &config) == 1)
		add(r, config, "digest", FREF_CONFIG);
	add_list(r, o, "layers", "digest", FREF_LAYER);
	add_list(r, o, "fsLayers", "blobSum", FREF_LAYER);
	add_list(r, o, "manifests", "digest", FREF_MANIFEST);
	return 1;
}
