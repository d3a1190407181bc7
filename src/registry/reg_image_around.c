/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_image_around: what points to a manifest: its referrers, its tags, the indexes that name it. A part of reg_image.
 *
 * Owns nothing. Invariant: what an index of the store names counts only if its link is there.
 */
#include <stdlib.h>
#include <string.h>

#include "base/digestset.h"
#include "base/json_check.h"
#include "base/json_put.h"
#include "base/mem.h"
#include "registry/reg_facts.h"
#include "registry/reg_image_own.h"
#include "registry/reg_kind.h"
#include "registry/reg_referrers.h"
#include "registry/reg_stored.h"
#include "store/index.h"
#include "store/tag.h"

#define DEPTH_MAX 3                     /* of referrers of referrers */
#define LIST_BYTES (1u << 20)           /* of descriptors, at all depths together */
#define SUMMARIES 20                    /* referrers whose content is read */
#define SUMMARIES_BYTES (4u << 20)      /* and how much of it, all together */
#define SMALL (256u * 1024)             /* of a referrer's manifest that is read for it */
#define OWN_READ (IMAGE_TAGS + 100)     /* names of the index that are read for the tags of the manifest; some may have gone */
#define LOOKED_AT 1000                  /* tags that are looked at, to find those of the manifest, and indexes */

struct referrers {
	struct image *im;
	size_t count, summaries;
	uint64_t bytes;                 /* that may still be read for summaries */
	size_t list;                    /* bytes of descriptors that there is still room for */
	struct digestset seen;          /* two manifests that refer to each other can't exist, but corrupt ones may */
};

static int put_referrers(struct referrers *rf, const struct digest *subject, unsigned depth, struct err *e);

static int put_summary(struct referrers *rf, const struct digest *d, struct json_view descriptor, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT, text = STR_INIT;
	struct json_fault f;
	uint64_t size;
	int found;

	if (rf->summaries >= SUMMARIES || json_view_u64(json_view_get(descriptor, "size"), &size) < 0 || size > SMALL)
		return 0;
	rf->summaries++;
	found = reg_stored_bytes(rf->im->r, rf->im->n, d, &bytes, e);
	rf->bytes -= bytes.len < rf->bytes ? bytes.len : rf->bytes;
	if (found <= 0 || json_check(bytes.buf, bytes.len, &f) < 0)
		return found < 0 ? -1 : 0;
	if (kind_summary(rf->im->r, rf->im->n, json_view_of(bytes.buf, bytes.len), &rf->bytes, &text, e) < 0)
		return -1;
	if (text.len)
		json_put_text(rf->im->out, "summary", text.buf, text.len, IMAGE_TEXT);
	return 0;
}

static int put_referrer(struct referrers *rf, struct json_view descriptor, unsigned depth, struct err *e)
{
	struct str *out = rf->im->out;
	struct digest d;
	enum kind k = kind_of(descriptor);
	uint64_t size;

	if (!facts_digest(descriptor, &d) || digestset_has(&rf->seen, &d))
		return 0;
	digestset_add(&rf->seen, &d);
	json_put_key(out, NULL);
	str_addc(out, '{');
	json_put_word(out, "digest", d.text);
	json_put_view(out, "media_type", json_view_get(descriptor, "mediaType"), FACTS_TYPE_MAX);
	json_put_view(out, "artifact_type", json_view_get(descriptor, "artifactType"), FACTS_TYPE_MAX);
	if (json_view_u64(json_view_get(descriptor, "size"), &size) == 0)
		json_put_u64(out, "size", size);
	json_put_word(out, "kind", kind_name(k));
	image_texts(rf->im, "annotations", json_view_get(descriptor, "annotations"));
	if (((k == KIND_SBOM || k == KIND_ATTESTATION) && put_summary(rf, &d, descriptor, e) < 0) ||
	    (depth < DEPTH_MAX && put_referrers(rf, &d, depth + 1, e) < 0))
		return -1;
	str_addc(out, '}');
	return 0;
}

/* The descriptors are separated by commas: with brackets they are a list. */
static int put_list(struct referrers *rf, const struct str *list, unsigned depth, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct json_fault f;
	struct json_view entry;
	struct json_walk w;

	str_addc(&text, '[');
	str_add(&text, list->buf, list->len);
	str_addc(&text, ']');
	if (json_check(text.buf, text.len, &f) < 0)
		return 0;
	json_put_key(rf->im->out, "referrers");
	str_addc(rf->im->out, '[');
	w = json_walk(json_view_of(text.buf, text.len));
	while (json_walk_next(&w, NULL, &entry)) {
		if (rf->count++ >= IMAGE_REFERRERS) {
			image_more(rf->im, "referrers");
			break;
		}
		if (put_referrer(rf, entry, depth, e) < 0)
			return -1;
	}
	str_addc(rf->im->out, ']');
	return 0;
}

static int put_referrers(struct referrers *rf, const struct digest *subject, unsigned depth, struct err *e)
{
	struct referrers_query q = { .subject = *subject, .max_bytes = rf->list };
	cleanup_str struct str list = STR_INIT, next = STR_INIT;

	/* Without an index each question reads all manifests: it is asked once. */
	if (depth && !rf->im->indexed)
		return 0;
	if (!rf->list) {
		image_more(rf->im, "referrers");
		return 0;
	}
	if (reg_referrers_page(rf->im->r, rf->im->n, &q, &list, &next, e) < 0)
		return -1;
	rf->list -= list.len < rf->list ? list.len : rf->list;
	if (next.len)
		image_more(rf->im, "referrers");
	return list.len || depth == 0 ? put_list(rf, &list, depth, e) : 0;
}

int image_referrers(struct image *im, struct err *e)
{
	struct referrers rf = { .im = im, .bytes = SUMMARIES_BYTES, .list = LIST_BYTES };
	int rc = put_referrers(&rf, im->digest, 0, e);

	digestset_release(&rf.seen);
	return rc;
}

/* The tags of a repository, as far as they are looked at. */
struct around {
	struct image *im;
	struct names own;               /* tags of the manifest */
	struct holder {
		struct digest digest;
		bool holds;
		struct names tags;
	} *v;                           /* of other manifests; owned */
	size_t count, looked;
	uint64_t pushed;
};

static void release(struct around *a)
{
	for (size_t i = 0; i < a->count; i++)
		names_release(&a->v[i].tags);
	free(a->v);
	names_release(&a->own);
}

/* Whether a manifest is an index that names this one. */
static int holds(struct image *im, const struct digest *d, bool *yes, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	struct json_view entry;
	struct json_fault f;
	struct json_walk w;
	struct digest named;
	int found;

	*yes = false;
	if (!im->reads) {
		image_more(im, "in");
		return 0;
	}
	found = reg_stored_bytes(im->r, im->n, d, &bytes, e);
	im->reads -= bytes.len < im->reads ? bytes.len : im->reads;
	if (found < 0 && e->code == ERR_MANIFEST_INVALID) {     /* nobody can pull it */
		err_release(e);
		return 0;
	}
	if (found <= 0 || !memmem(bytes.buf, bytes.len, im->digest->text, strlen(im->digest->text)) || json_check(bytes.buf, bytes.len, &f) < 0)
		return found < 0 ? -1 : 0;
	w = json_walk(json_view_get(json_view_of(bytes.buf, bytes.len), "manifests"));
	while (!*yes && json_walk_next(&w, NULL, &entry))
		*yes = facts_digest(entry, &named) && digest_eq(&named, im->digest);
	return 0;
}

static int add_other(struct around *a, const struct tag *t, const struct digest *d, struct err *e)
{
	struct holder *h;
	size_t i;

	for (i = 0; i < a->count && !digest_eq(&a->v[i].digest, d); i++)
		;
	h = &a->v[i];
	if (i == a->count) {
		a->count++;
		*h = (struct holder){ .digest = *d, .tags = NAMES_INIT };
		if (holds(a->im, d, &h->holds, e) < 0)
			return -1;
	}
	if (h->holds)
		names_add(&h->tags, t->s, t->len);
	return 0;
}

static int add_own(struct around *a, const struct tag *t, struct err *e)
{
	uint64_t pushed;

	if (a->own.count == IMAGE_TAGS) {
		image_more(a->im, "tags");
		return 0;
	}
	names_add(&a->own, t->s, t->len);
	if (tag_pushed(a->im->r->st, a->im->n, t, false, &pushed, e) < 0)
		return -1;
	a->pushed = pushed > a->pushed ? pushed : a->pushed;
	return 0;
}

static int look_at(void *arg, const char *name, struct err *e)
{
	struct around *a = arg;
	struct digest d;
	struct tag t;
	int found;

	if (a->looked++ == LOOKED_AT) {
		image_more(a->im, "in");
		return 1;
	}
	if (tag_parse(&t, name, strlen(name)) < 0)
		return 0;
	found = tag_read(a->im->r->st, a->im->n, &t, &d, e);
	if (found <= 0)
		return found;
	if (!digest_eq(&d, a->im->digest))
		return add_other(a, &t, &d, e);
	return a->im->indexed ? 0 : add_own(a, &t, e);
}

/* With an index the tags of a digest are found without looking at others. */
static int find_own(struct around *a, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	struct image *im = a->im;
	size_t i;

	if (index_tags_of(im->r->st, im->n, im->digest, OWN_READ, &all, e) < 0)
		return -1;
	for (i = 0; i < all.count && a->own.count < IMAGE_TAGS; i++) {
		struct digest now;
		struct tag t;
		int found = tag_parse(&t, all.v[i], strlen(all.v[i])) < 0 ? 0 : tag_read(im->r->st, im->n, &t, &now, e);

		if (found < 0 || (found == 1 && digest_eq(&now, im->digest) && add_own(a, &t, e) < 0))
			return -1;
	}
	if (i < all.count || all.count == OWN_READ)
		image_more(im, "tags");
	return 0;
}

static int look_around(struct around *a, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	struct image *im = a->im;
	size_t i;
	int rc = 0;

	if (im->indexed)
		return find_own(a, e) < 0 || index_walk_tags(im->r->st, im->n, "", look_at, a, e) < 0 ? -1 : 0;
	if (tag_names(im->r->st, im->n, &all, e) < 0)
		return -1;
	for (i = 0; rc == 0 && i < all.count; i++)
		rc = look_at(a, all.v[i], e);
	return rc < 0 ? -1 : 0;
}

static void put_names(struct str *out, const char *key, const struct names *names)
{
	size_t i;

	json_put_key(out, key);
	str_addc(out, '[');
	for (i = 0; i < names->count; i++)
		json_put_word(out, NULL, names->v[i]);
	str_addc(out, ']');
}

static void put_holders(const struct around *a)
{
	struct str *out = a->im->out;
	size_t i, count = 0;

	json_put_key(out, "in");
	str_addc(out, '[');
	for (i = 0; i < a->count; i++) {
		if (!a->v[i].holds)
			continue;
		if (count++ == IMAGE_INDEXES) {
			image_more(a->im, "in");
			break;
		}
		json_put_key(out, NULL);
		str_addc(out, '{');
		json_put_word(out, "digest", a->v[i].digest.text);
		put_names(out, "tags", &a->v[i].tags);
		str_addc(out, '}');
	}
	str_addc(out, ']');
}

int image_tags(struct image *im, uint64_t *pushed, struct err *e)
{
	struct around a = { .im = im, .own = NAMES_INIT, .v = xcalloc(LOOKED_AT, sizeof(*a.v)) };
	int rc = look_around(&a, e);

	*pushed = a.pushed;
	if (rc == 0) {
		put_names(im->out, "tags", &a.own);
		put_holders(&a);
	}
	release(&a);
	return rc;
}
