/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: the first line is the Content-Type ("-" for none), the rest the bytes. */

#include "fuzz.h"

#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"
#include "registry/manifest.h"
#include "registry/manifest_scan.h"

static void check_ref(const struct manifest *m, size_t i)
{
	const struct descriptor *d = &m->refs[i];
	struct digest again;
	enum mediatype t = mediatype_parse(d->media_type, strlen(d->media_type));

	CHECK(digest_parse(&again, d->digest.text, strlen(d->digest.text)) == 0 && digest_eq(&again, &d->digest));
	CHECK(d->size <= INT64_MAX && *d->media_type && fuzz_is_utf8(d->media_type, strlen(d->media_type)));
	CHECK(!d->optional || d->kind == MREF_LAYER);
	CHECK(d->kind != MREF_LAYER || d->optional || !mediatype_nondistributable(d->media_type, strlen(d->media_type)));
	if (mediatype_is_index(m->type))
		CHECK(d->kind == (t == MEDIATYPE_OTHER ? MREF_CHILD_BLOB : MREF_CHILD_MANIFEST));
	else
		CHECK(d->kind == (i == 0 ? MREF_CONFIG : MREF_LAYER));
}

/* The references are those of the text, in its order, by a reading of its own. */
static void check_refs(const struct manifest *m, struct json_object *o)
{
	bool index = mediatype_is_index(m->type);
	struct json_object *list = NULL, *config = NULL, *entry, *digest = NULL;
	size_t i, n;

	json_object_object_get_ex(o, index ? "manifests" : "layers", &list);
	json_object_object_get_ex(o, "config", &config);
	n = list ? json_object_array_length(list) : 0;
	CHECK(m->nrefs == n + !index && !config == index);
	for (i = 0; i < m->nrefs; i++) {
		check_ref(m, i);
		entry = index ? json_object_array_get_idx(list, i) : i == 0 ? config : json_object_array_get_idx(list, i - 1);
		CHECK(json_object_object_get_ex(entry, "digest", &digest));
		CHECK(strcmp(json_object_get_string(digest), m->refs[i].digest.text) == 0);
	}
}

/* What a client may get as Content-Type of these bytes, whatever they are. */
static void check_type(const struct str *type)
{
	const char *p;

	CHECK(type->len >= 3 && type->len <= 255 && strlen(type->buf) == type->len);
	for (p = type->buf; *p; p++)
		CHECK(*p > 0x20 && *p < 0x7f && !strchr("\"(),:;<=>?@[\\]{}", *p));
	p = strchr(type->buf, '/');
	CHECK(p && p > type->buf && p[1] && !strchr(p + 1, '/'));
}

/* The descriptor among the referrers is JSON, and says what the manifest says. */
static void check_description(const struct str *out, size_t len, const struct digest *d, const struct manifest *m)
{
	cleanup_json struct json_object *o = NULL;
	struct json_object *v = NULL;
	struct json_fault f;
	size_t n;
	const char *text;
	uint64_t size;

	o = json_read(out->buf, out->len, &f);
	CHECK(o && json_object_is_type(o, json_type_object));
	CHECK(json_get_string(o, "digest", &text, &n) == 1 && strcmp(text, d->text) == 0);
	CHECK(json_get_u64(o, "size", &size) == 1 && size == len);
	CHECK(json_get_string(o, "mediaType", &text, &n) == 1 && n > 0);
	CHECK(json_get_string(o, "artifactType", &text, &n) >= 0);
	CHECK(json_get_object(o, "annotations", &v) >= 0);
	if (!m)
		return;
	CHECK(!m->artifact_type == !text && (!text || strcmp(text, m->artifact_type) == 0));
	CHECK(json_get_string(o, "mediaType", &text, &n) == 1 && strcmp(text, mediatype_text(m->type)) == 0);
}

static void check_accepted(struct manifest *m, const char *type, const char *s, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	cleanup_err struct err e = ERR_INIT;
	cleanup_str struct str served = STR_INIT;
	struct manifest again;
	struct json_fault f;

	CHECK(m->type != MEDIATYPE_OTHER && (!type || !*type || mediatype_parse(type, strlen(type)) == m->type));
	CHECK(!m->artifact_type || *m->artifact_type);
	o = json_read(s, len, &f);
	CHECK(o);
	check_refs(m, o);
	/* served as what it was pushed as */
	manifest_scan_type(&served, s, len);
	CHECK(strcmp(served.buf, mediatype_text(m->type)) == 0);
	CHECK(manifest_parse(&again, s, len, served.buf, &e) == 0 && again.nrefs == m->nrefs);
	manifest_release(&again);
}

/* The digests of a tree in its order, compared with r from *at on. */
static void check_digests(const struct references *r, size_t *at, struct json_object *o)
{
	struct digest d;
	size_t i;

	if (json_object_is_type(o, json_type_array)) {
		for (i = 0; i < json_object_array_length(o); i++)
			check_digests(r, at, json_object_array_get_idx(o, i));
	} else if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, val) {
			(void)key;
			check_digests(r, at, val);
		}
	} else if (json_object_is_type(o, json_type_string) &&
		   digest_parse(&d, json_object_get_string(o), (size_t)json_object_get_string_len(o)) == 0) {
		CHECK(*at < r->count && digest_eq(&r->v[(*at)++], &d));
	}
}

/* Every digest outside the subject is found, with or without a tree. */
static void check_references(const char *s, size_t len, struct json_object *o)
{
	cleanup_references struct references r = REFERENCES_INIT;
	bool object = json_object_is_type(o, json_type_object);
	size_t at = 0;

	CHECK(manifest_scan_references(&r, s, len) == object);
	if (object) {
		json_object_object_foreach(o, key, val) {
			if (strcmp(key, "subject") != 0)
				check_digests(&r, &at, val);
		}
	}
	CHECK(at == r.count);
}

/* Of what the strict reader accepts the lenient one reads the same. */
static void check_descriptors(const struct manifest *m, const char *s, size_t len, struct json_object *o)
{
	cleanup_manifest struct manifest scanned = MANIFEST_INIT;
	size_t i;

	CHECK(manifest_scan_descriptors(&scanned, s, len) == json_object_is_type(o, json_type_object));
	for (i = 0; i < scanned.nrefs; i++)
		CHECK(!scanned.refs[i].media_type && (!scanned.refs[i].optional || scanned.refs[i].kind == MREF_LAYER));
	if (!m || json_object_object_get_ex(o, "fsLayers", NULL))
		return;
	CHECK(scanned.nrefs == m->nrefs && scanned.has_subject == m->has_subject);
	CHECK(!m->has_subject || digest_eq(&scanned.subject, &m->subject));
	for (i = 0; i < m->nrefs; i++) {
		CHECK(scanned.refs[i].kind == m->refs[i].kind && scanned.refs[i].optional == m->refs[i].optional);
		CHECK(scanned.refs[i].size == m->refs[i].size && digest_eq(&scanned.refs[i].digest, &m->refs[i].digest));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	cleanup_free char *type = NULL;
	cleanup_str struct str out = STR_INIT, served = STR_INIT;
	cleanup_json struct json_object *o = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct json_fault f;
	struct manifest m;
	struct digest d, subject;
	const char *s;
	size_t len;
	bool ok;

	if (!nl || size > 65536)
		return 0;
	type = xstrndup((const char *)data, (size_t)(nl - data));
	s = (const char *)nl + 1;
	len = size - (size_t)(nl + 1 - data);
	memset(&m, 0x5a, sizeof(m));            /* it need not be initialised */
	ok = manifest_parse(&m, s, len, strcmp(type, "-") == 0 ? NULL : type, &e) == 0;
	if (ok)
		check_accepted(&m, strcmp(type, "-") == 0 ? NULL : type, s, len);
	else
		CHECK(fuzz_is_error(&e, ERR_MANIFEST_INVALID, 400) && *e.detail && !m.refs && !m.nrefs && !m.artifact_type);
	manifest_scan_type(&served, s, len);
	check_type(&served);
	o = json_read(s, len, &f);
	check_references(s, len, o);
	check_descriptors(ok ? &m : NULL, s, len, o);
	digest_of(&d, DIGEST_SHA256, s, len);
	if (manifest_scan_referrer(s, len, &d, &subject, &out) == 1) {
		check_description(&out, len, &d, ok ? &m : NULL);
		CHECK(!ok || (m.has_subject && digest_eq(&m.subject, &subject)));
	} else {
		CHECK(out.len == 0 && (!ok || !m.has_subject));
	}
	manifest_release(&m);
	return 0;
}
