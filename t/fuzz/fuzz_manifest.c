/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests: the first line is the Content-Type ("-" for none), the rest the bytes. */

#include "fuzz.h"

#include "base/json.h"
#include "base/json_check.h"
#include "base/mem.h"
#include "registry/describe.h"
#include "registry/manifest.h"

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
static void check_sniff(const struct str *type)
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
	cleanup_str struct str sniffed = STR_INIT;
	struct manifest again;
	struct json_fault f;

	CHECK(m->type != MEDIATYPE_OTHER && (!type || !*type || mediatype_parse(type, strlen(type)) == m->type));
	CHECK(!m->artifact_type || *m->artifact_type);
	o = json_read(s, len, &f);
	CHECK(o);
	check_refs(m, o);
	/* served as what it was pushed as */
	manifest_sniff(&sniffed, s, len);
	CHECK(strcmp(sniffed.buf, mediatype_text(m->type)) == 0);
	CHECK(manifest_parse(&again, s, len, sniffed.buf, &e) == 0 && again.nrefs == m->nrefs);
	manifest_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = size ? memchr(data, '\n', size) : NULL;
	cleanup_free char *type = NULL;
	cleanup_str struct str out = STR_INIT, sniffed = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
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
	manifest_sniff(&sniffed, s, len);
	check_sniff(&sniffed);
	digest_of(&d, DIGEST_SHA256, s, len);
	if (manifest_describe(s, len, &d, &subject, &out) == 1) {
		check_description(&out, len, &d, ok ? &m : NULL);
		CHECK(!ok || (m.has_subject && digest_eq(&m.subject, &subject)));
	} else {
		CHECK(out.len == 0 && (!ok || !m.has_subject));
	}
	manifest_release(&m);
	return 0;
}
