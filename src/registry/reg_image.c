/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_image: one manifest and what is around it.
 *
 * Owns no state. Invariant: each list and each text is bounded, whatever content says. Knows nothing of HTTP or users.
 */
#include "registry/reg_image.h"

#include <inttypes.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_put.h"
#include "registry/reg_facts.h"
#include "registry/reg_image_own.h"
#include "registry/reg_index.h"
#include "registry/reg_stored.h"
#include "store/pulled.h"
#include "store/revision.h"
#include "store/tag.h"

#define USEC 1000000
#define BUDGET { 3 * IMAGE_CHILDREN, 32u << 20 }        /* to sum up the bytes of the manifest, and of each that it names */
#define READ_MAX (32u << 20)

/* Whether a manifest of an index is here, and what is known of it, unless that is too much to read. */
static int read_child(struct image *im, const struct digest *d, struct facts *f, struct err *e)
{
	struct digest content;

	if (!im->budget.manifests || !im->budget.bytes)
		return revision_find(im->r->st, im->n, d, &content, e);
	im->budget.manifests--;
	return facts_read(im->r, im->n, d, &im->budget, f, e);
}

/* A manifest of an index. */
static int put_child(struct image *im, struct json_view descriptor, struct err *e)
{
	cleanup_str struct str platform = STR_INIT;
	cleanup_facts struct facts f = FACTS_INIT;
	struct digest d;
	uint64_t size;
	int here;

	if (!facts_digest(descriptor, &d))
		return 0;
	here = read_child(im, &d, &f, e);
	if (here < 0)
		return -1;
	json_put_key(im->out, NULL);
	str_addc(im->out, '{');
	json_put_word(im->out, "digest", d.text);
	json_put_view(im->out, "media_type", json_view_get(descriptor, "mediaType"), FACTS_TYPE_MAX);
	if (facts_platform(json_view_get(descriptor, "platform"), &platform))
		json_put_word(im->out, "platform", platform.buf);
	if (facts_attests(descriptor))
		json_put_view(im->out, "attests", json_view_get(json_view_get(descriptor, "annotations"), "vnd.docker.reference.digest"), 200);
	if (f.sized)
		json_put_u64(im->out, "bytes", f.bytes);
	else if (json_view_u64(json_view_get(descriptor, "size"), &size) == 0)
		json_put_u64(im->out, "bytes", size);
	json_put_bool(im->out, "here", here);
	str_addc(im->out, '}');
	return 0;
}

static int put_children(struct image *im, struct json_view list, struct err *e)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;
	size_t count = 0;

	if (list.kind != JSON_LIST)
		return 0;
	json_put_key(im->out, "manifests");
	str_addc(im->out, '[');
	while (json_walk_next(&w, NULL, &entry)) {
		if (count++ == IMAGE_CHILDREN) {
			image_more(im, "manifests");
			break;
		}
		if (put_child(im, entry, e) < 0)
			return -1;
	}
	str_addc(im->out, ']');
	return 0;
}

static int put_pulled(struct image *im, const struct tag *t, struct err *e)
{
	int64_t when;
	int found = t ? pulled_tag(im->r->st, im->n, t, &when, e) : pulled_digest(im->r->st, im->n, im->digest, &when, e);

	if (found == 1)
		json_put_time(im->out, "pulled", when);
	return found < 0 ? -1 : 0;
}

static void put_facts(struct image *im, const struct facts *f, size_t size)
{
	str_addc(im->out, '{');
	json_put_word(im->out, "digest", im->digest->text);
	json_put_text(im->out, "media_type", f->media_type.buf, f->media_type.len, FACTS_TYPE_MAX);
	if (f->artifact_type.len)
		json_put_text(im->out, "artifact_type", f->artifact_type.buf, f->artifact_type.len, FACTS_TYPE_MAX);
	json_put_u64(im->out, "bytes", f->bytes);
	json_put_u64(im->out, "size", size);
	if (f->dated)
		json_put_time(im->out, "created", f->created);
}

/* What the text of the manifest says; one that is no JSON says nothing. */
static int put_text(struct image *im, const struct str *bytes, struct err *e)
{
	struct json_fault f;
	struct json_view o, subject;
	struct digest d;

	if (json_check(bytes->buf, bytes->len, &f) < 0)
		return 0;
	o = json_view_of(bytes->buf, bytes->len);
	subject = json_view_get(o, "subject");
	if (facts_digest(subject, &d))
		json_put_word(im->out, "subject", d.text);
	image_texts(im, "annotations", json_view_get(o, "annotations"));
	return image_layers(im, o, e) < 0 ? -1 : put_children(im, json_view_get(o, "manifests"), e);
}

static int put_image(struct image *im, const struct ref *ref, const struct str *bytes, struct err *e)
{
	cleanup_facts struct facts f = FACTS_INIT;
	const struct tag *t = ref->kind == REF_TAG ? &ref->tag : NULL;
	uint64_t newest = 0, pushed = 0;

	facts_of(im->r, im->n, bytes->buf, bytes->len, false, &im->budget, &f);
	put_facts(im, &f, bytes->len);
	if (put_pulled(im, t, e) < 0 || (t && tag_pushed(im->r->st, im->n, t, false, &pushed, e) < 0) || image_tags(im, &newest, e) < 0)
		return -1;
	if (!t)
		pushed = newest;
	if (pushed)
		json_put_time(im->out, "pushed", (int64_t)(pushed / USEC));
	if (put_text(im, bytes, e) < 0 || image_referrers(im, e) < 0)
		return -1;
	if (im->more.len)
		str_addf(im->out, ",\"more\":{%s}", im->more.buf);
	str_addc(im->out, '}');
	return 0;
}

int reg_image(struct registry *r, const struct name *n, const struct ref *ref, struct str *out, struct digest *digest, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT;
	struct image im = { .r = r, .n = n, .digest = digest, .out = out, .more = STR_INIT, .budget = BUDGET, .reads = READ_MAX };
	int rc;

	*digest = (struct digest){ 0 };
	if (reg_stored_find(r, n, ref, &m, e) < 0 || reg_stored_read(r, &m, &bytes, &type, e) < 0)
		return -1;
	*digest = m.digest;
	rc = reg_index_ready(r, n, e);
	im.indexed = rc == 1;
	if (rc >= 0)
		rc = put_image(&im, ref, &bytes, e);
	str_release(&im.more);
	return rc;
}
