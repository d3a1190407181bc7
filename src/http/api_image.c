/* SPDX-License-Identifier: Apache-2.0 */
/* api_image: /berth/v1/repos/<name>/manifests/<reference>, all that is known of a manifest (doc/PAGE.md, "The API"). */
#include <string.h>

#include "http/api.h"
#include "http/handlers.h"
#include "registry/reg_image.h"

#define TAG_PREFIX "tag:"

/* A tag may be called as a list is that ends its path; with the prefix, which is in no tag and no digest, it is a tag for certain. */
static int parse(const struct exchange *x, struct ref *ref)
{
	size_t len = strlen(TAG_PREFIX);

	if (x->tail_len <= len || memcmp(x->tail, TAG_PREFIX, len) != 0)
		return ref_parse(ref, x->tail, x->tail_len, NULL);
	ref->kind = REF_TAG;
	return tag_parse(&ref->tag, x->tail + len, x->tail_len - len);
}

int api_image_get(struct exchange *x, struct err *e)
{
	struct digest d;
	struct ref ref;

	if (parse(x, &ref) < 0)
		return err_set(e, ERR_MANIFEST_UNKNOWN, "%.*s", (int)x->tail_len, x->tail);
	response_json(&x->rs, 200);
	if (reg_image(x->reg, &x->name, &ref, &x->rs.body, &d, e) < 0)
		return -1;
	api_done(x);
	return 0;
}
