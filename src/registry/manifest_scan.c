/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest_scan: the lenient reader of manifests.
 *
 * Owns nothing. Invariant: no digest that stored bytes name is missed by manifest_scan_references(). Knows no disk, no
 * HTTP and no users.
 */
#include "registry/manifest_scan.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_top.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"

#define MEDIA_TYPE_MAX 255
#define MEDIA_TYPE_PART_MAX 127         /* RFC 6838, 4.2 */

/* RFC 6838, 4.2, "restricted-name": nothing in it can end a header line */
static bool restricted_name(const char *s, size_t len)
{
	size_t i;

	if (!len || len > MEDIA_TYPE_PART_MAX)
		return false;
	for (i = 0; i < len; i++) {
		char c = s[i];
		bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (!alnum && (i == 0 || !c || !strchr("!#$&-^_.+", c)))
			return false;
	}
	return true;
}

static bool fits_header(const char *s, size_t len)
{
	const char *slash = len && len <= MEDIA_TYPE_MAX ? memchr(s, '/', len) : NULL;
	size_t head;

	if (!slash)
		return false;
	head = (size_t)(slash - s);
	return restricted_name(s, head) && restricted_name(slash + 1, len - head - 1);
}

/* The top-level mediaType, if it is valid in a header. */
static bool add_inner_type(struct str *type, const char *buf, size_t len)
{
	cleanup_str struct str decoded = STR_INIT;
	struct json_fault f;
	const char *val;
	size_t vlen;

	if (json_top_string(buf, len, "mediaType", &val, &vlen) <= 0) {
		/* some encoders write "application\/vnd...": decode this one value */
		if (json_top_raw(buf, len, "mediaType", &val, &vlen) <= 0 || vlen > 6 * MEDIA_TYPE_MAX + 2 ||
		    *val != '"' || json_check(val, vlen, &f) < 0)
			return false;
		json_view_text(json_view_of(val, vlen), &decoded);
		val = decoded.buf;
		vlen = decoded.len;
	}
	if (!fits_header(val, vlen))
		return false;
	str_add(type, val, vlen);
	return true;
}

void manifest_scan_type(struct str *type, const char *buf, size_t len)
{
	const char *val;
	size_t vlen;

	if (add_inner_type(type, buf, len))
		return;
	if (json_top_has(buf, len, "manifests") == 1)
		str_puts(type, MT_OCI_INDEX);
	else if (json_top_raw(buf, len, "schemaVersion", &val, &vlen) == 1 && vlen == 1 && *val == '1')
		str_puts(type, MT_DOCKER_SCHEMA1_SIGNED);
	else
		str_puts(type, MT_OCI_MANIFEST);
}

/* Of a longer string, even with every byte as \uXXXX, no digest can come. */
static bool is_digest(struct json_view v, struct digest *d)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind != JSON_STRING || v.len > 6 * DIGEST_TEXT_MAX + 2)
		return false;
	if (!memchr(v.s, '\\', v.len))
		return digest_parse(d, v.s + 1, v.len - 2) == 0;
	json_view_text(v, &text);
	return digest_parse(d, text.buf, text.len) == 0;
}

static bool read_subject(struct json_view o, struct digest *d)
{
	return is_digest(json_view_get(json_view_get(o, "subject"), "digest"), d);
}

/* Add the member as the inside of a JSON string; whether it is a string that is not empty. */
static bool add_string(struct str *out, const char *before, struct json_view v)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind != JSON_STRING || v.len == 2)
		return false;
	json_view_text(v, &text);
	str_puts(out, before);
	str_add_json(out, text.buf, text.len);
	str_addc(out, '"');
	return true;
}

static void add_artifact_type(struct str *out, struct json_view o)
{
	static const char before[] = ",\"artifactType\":\"";

	if (!add_string(out, before, json_view_get(o, "artifactType")))
		add_string(out, before, json_view_get(json_view_get(o, "config"), "mediaType"));
}

static void add_annotations(struct str *out, struct json_view o)
{
	cleanup_str struct str text = STR_INIT;
	struct json_walk w = json_walk(json_view_get(o, "annotations"));
	struct json_view key, val;
	size_t count = 0;

	while (w.object && json_walk_next(&w, &key, &val)) {
		if (val.kind != JSON_STRING)
			continue;
		str_puts(out, count++ ? ",\"" : ",\"annotations\":{\"");
		str_reset(&text);
		json_view_text(key, &text);
		str_add_json(out, text.buf, text.len);
		str_puts(out, "\":\"");
		str_reset(&text);
		json_view_text(val, &text);
		str_add_json(out, text.buf, text.len);
		str_addc(out, '"');
	}
	if (count)
		str_addc(out, '}');
}

int manifest_scan_referrer(const char *buf, size_t len, const struct digest *d, struct digest *subject, struct str *out)
{
	cleanup_str struct str type = STR_INIT;
	struct json_fault f;
	struct json_view o;

	*subject = (struct digest){ 0 };
	/* Most manifests have no subject: the rest of them is not read. */
	if (json_top_has(buf, len, "subject") != 1 || json_check(buf, len, &f) < 0)
		return 0;
	o = json_view_of(buf, len);
	if (!read_subject(o, subject)) {
		*subject = (struct digest){ 0 };
		return 0;
	}
	manifest_scan_type(&type, buf, len);
	str_puts(out, "{\"mediaType\":\"");
	str_add_json(out, type.buf, type.len);
	str_addf(out, "\",\"digest\":\"%s\",\"size\":%zu", d->text, len);
	add_artifact_type(out, o);
	add_annotations(out, o);
	str_addc(out, '}');
	return 1;
}

static bool any_in(struct json_view list)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;

	return list.kind == JSON_LIST && json_walk_next(&w, NULL, &entry);
}

/* Append the descriptor `o` to m->refs, of which *cap are allocated, unless its digest is absent or of an unknown kind. */
static void add_descriptor(struct manifest *m, size_t *cap, struct json_view o, const char *key, enum manifest_ref_kind kind)
{
	cleanup_str struct str type = STR_INIT;
	struct descriptor d = { .kind = kind };
	struct json_view typed = json_view_get(o, "mediaType");

	if (!is_digest(json_view_get(o, key), &d.digest))
		return;
	if (typed.kind == JSON_STRING)
		json_view_text(typed, &type);
	if (kind == MREF_CHILD_MANIFEST && (typed.kind != JSON_STRING || mediatype_parse(type.buf, type.len) == MEDIATYPE_OTHER))
		d.kind = MREF_CHILD_BLOB;
	if (kind == MREF_LAYER)
		d.optional = (typed.kind == JSON_STRING && mediatype_nondistributable(type.buf, type.len)) ||
			     any_in(json_view_get(o, "urls"));
	if (json_view_u64(json_view_get(o, "size"), &d.size) < 0)
		d.size = DESCRIPTOR_NO_SIZE;
	if (m->nrefs == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		m->refs = xreallocarray(m->refs, *cap, sizeof(*m->refs));
	}
	m->refs[m->nrefs++] = d;
}

static void add_descriptors(struct manifest *m, size_t *cap, struct json_view list, const char *key, enum manifest_ref_kind kind)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;

	while (list.kind == JSON_LIST && json_walk_next(&w, NULL, &entry))
		add_descriptor(m, cap, entry, key, kind);
}

int manifest_scan_descriptors(struct manifest *m, const char *buf, size_t len)
{
	struct json_fault f;
	struct json_view o;
	size_t cap = 0;

	*m = (struct manifest)MANIFEST_INIT;
	if (json_check(buf, len, &f) < 0)
		return 0;
	o = json_view_of(buf, len);
	if (o.kind != JSON_OBJECT)
		return 0;
	m->has_subject = read_subject(o, &m->subject);
	add_descriptor(m, &cap, json_view_get(o, "config"), "digest", MREF_CONFIG);
	add_descriptors(m, &cap, json_view_get(o, "layers"), "digest", MREF_LAYER);
	add_descriptors(m, &cap, json_view_get(o, "fsLayers"), "blobSum", MREF_LAYER);
	add_descriptors(m, &cap, json_view_get(o, "manifests"), "digest", MREF_CHILD_MANIFEST);
	return 1;
}

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

static const char *past_blanks(const char *p, const char *end)
{
	while (p < end && memchr(" \t\r\n", *p, 4))
		p++;
	return p;
}

/* The last quote of the string whose first one is at p, in checked text. */
static const char *closing_quote(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && p + 1 < end)
			p++;
	return p;
}

/*
 * Outside a string checked text has no quotation mark, so the strings are found without a walk over lists and objects, and at
 * any depth for the same cost. A collection reads all manifests.
 */
static void add_all(struct references *r, const char *p, const char *end)
{
	while (p < end && (p = memchr(p, '"', (size_t)(end - p))) != NULL) {
		const char *close = closing_quote(p, end), *behind = past_blanks(close + (close < end), end);
		struct digest d;

		if (!(behind < end && *behind == ':') && is_digest(json_view_of(p, (size_t)(close - p) + 1), &d))
			add(r, &d);
		p = close + (close < end);
	}
}

int manifest_scan_references(struct references *r, const char *buf, size_t len)
{
	struct json_view o, subject = { .kind = JSON_ABSENT }, key, val;
	struct json_fault f;
	struct json_walk w;

	*r = (struct references)REFERENCES_INIT;
	if (json_check(buf, len, &f) < 0)
		return 0;
	o = json_view_of(buf, len);
	if (o.kind != JSON_OBJECT)
		return 0;
	w = json_walk(o);
	while (subject.kind == JSON_ABSENT && json_walk_next(&w, &key, &val))
		if (json_view_is(key, "subject"))
			subject = val;
	/* A subject keeps its referrers; a referrer does not keep its subject. */
	if (subject.kind == JSON_ABSENT) {
		add_all(r, buf, buf + len);
		return 1;
	}
	r->has_subject = read_subject(o, &r->subject);
	add_all(r, buf, subject.s);
	add_all(r, subject.s + subject.len, buf + len);
	return 1;
}
