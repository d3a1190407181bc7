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

#include "base/json.h"
#include "base/json_check.h"
#include "base/json_top.h"
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
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;
	const char *val;
	size_t vlen;

	if (json_top_string(buf, len, "mediaType", &val, &vlen) <= 0) {
		/* some encoders write "application\/vnd...": decode this one value, not the whole text */
		if (json_top_raw(buf, len, "mediaType", &val, &vlen) <= 0 || vlen > 6 * MEDIA_TYPE_MAX + 2)
			return false;
		o = json_read(val, vlen, &f);
		if (!o || !json_object_is_type(o, json_type_string))
			return false;
		val = json_object_get_string(o);
		vlen = (size_t)json_object_get_string_len(o);
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

static bool is_digest(struct json_object *o, struct digest *d)
{
	return json_object_is_type(o, json_type_string) &&
	       digest_parse(d, json_object_get_string(o), (size_t)json_object_get_string_len(o)) == 0;
}

static bool read_subject(struct json_object *o, struct digest *d)
{
	struct json_object *subject, *digest;

	return json_get_object(o, "subject", &subject) == 1 && json_object_object_get_ex(subject, "digest", &digest) &&
	       is_digest(digest, d);
}

static void add_artifact_type(struct str *out, struct json_object *o)
{
	struct json_object *config;
	const char *type;
	size_t len;

	if (!(json_get_string(o, "artifactType", &type, &len) == 1 && len > 0) &&
	    !(json_get_object(o, "config", &config) == 1 && json_get_string(config, "mediaType", &type, &len) == 1 && len > 0))
		return;
	str_puts(out, ",\"artifactType\":\"");
	str_add_json(out, type, len);
	str_addc(out, '"');
}

static void add_annotations(struct str *out, struct json_object *o)
{
	struct json_object *all;
	size_t count = 0;

	if (json_get_object(o, "annotations", &all) != 1)
		return;
	json_object_object_foreach(all, key, val) {
		if (!json_object_is_type(val, json_type_string))
			continue;
		str_puts(out, count++ ? ",\"" : ",\"annotations\":{\"");
		str_add_json(out, key, strlen(key));
		str_puts(out, "\":\"");
		str_add_json(out, json_object_get_string(val), (size_t)json_object_get_string_len(val));
		str_addc(out, '"');
	}
	if (count)
		str_addc(out, '}');
}

int manifest_scan_referrer(const char *buf, size_t len, const struct digest *d, struct digest *subject, struct str *out)
{
	cleanup_str struct str type = STR_INIT;
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;

	*subject = (struct digest){ 0 };
	/* Most manifests have no subject: build no tree for them. */
	if (json_top_has(buf, len, "subject") != 1)
		return 0;
	o = json_read(buf, len, &f);
	if (!o || !read_subject(o, subject))
		return 0;
	manifest_scan_type(&type, buf, len);
	str_puts(out, "{\"mediaType\":\"");
	str_add_json(out, type.buf, type.len);
	str_addf(out, "\",\"digest\":\"%s\",\"size\":%zu", d->text, len);
	add_artifact_type(out, o);
	add_annotations(out, o);
	str_addc(out, '}');
	return 1;
}

/* Append the descriptor `o` to m->refs, which has room for it, unless its digest is absent or of an unknown kind. */
static void add_descriptor(struct manifest *m, struct json_object *o, const char *key, enum manifest_ref_kind kind)
{
	struct descriptor *d = &m->refs[m->nrefs];
	struct json_object *urls, *digest;
	const char *type;
	size_t len;
	bool typed;

	*d = (struct descriptor){ .kind = kind };
	if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, &digest) ||
	    !is_digest(digest, &d->digest))
		return;
	typed = json_get_string(o, "mediaType", &type, &len) == 1;
	if (kind == MREF_CHILD_MANIFEST && (!typed || mediatype_parse(type, len) == MEDIATYPE_OTHER))
		d->kind = MREF_CHILD_BLOB;
	if (kind == MREF_LAYER)
		d->optional = (typed && mediatype_nondistributable(type, len)) ||
			      (json_get_array(o, "urls", &urls) == 1 && json_object_array_length(urls) > 0);
	if (json_get_u64(o, "size", &d->size) != 1)
		d->size = DESCRIPTOR_NO_SIZE;
	m->nrefs++;
}

static void add_descriptors(struct manifest *m, struct json_object *o, const char *list, const char *key,
			    enum manifest_ref_kind kind)
{
	struct json_object *a;
	size_t n, i;

	if (json_get_array(o, list, &a) != 1)
		return;
	n = json_object_array_length(a);
	m->refs = xreallocarray(m->refs, m->nrefs + n, sizeof(*m->refs));
	for (i = 0; i < n; i++)
		add_descriptor(m, json_object_array_get_idx(a, i), key, kind);
}

int manifest_scan_descriptors(struct manifest *m, const char *buf, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	struct json_object *config;
	struct json_fault f;

	*m = (struct manifest)MANIFEST_INIT;
	o = json_read(buf, len, &f);
	if (!o || !json_object_is_type(o, json_type_object))
		return 0;
	m->has_subject = read_subject(o, &m->subject);
	if (json_get_object(o, "config", &config) == 1) {
		m->refs = xcalloc(1, sizeof(*m->refs));
		add_descriptor(m, config, "digest", MREF_CONFIG);
	}
	add_descriptors(m, o, "layers", "digest", MREF_LAYER);
	add_descriptors(m, o, "fsLayers", "blobSum", MREF_LAYER);
	add_descriptors(m, o, "manifests", "digest", MREF_CHILD_MANIFEST);
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

/* json_check bounds the depth. */
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
 * In JSON without a backslash every quotation mark begins or ends a string, so the strings are found without a tree.
 * Nearly all manifests are such, and a collection reads all manifests.
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

/* The text is plain and has passed json_check. */
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

int manifest_scan_references(struct references *r, const char *buf, size_t len)
{
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;

	*r = (struct references)REFERENCES_INIT;
	if (is_plain(buf, len)) {
		if (json_check(buf, len, &f) < 0)
			return 0;
		add_plain(r, buf, len);
		return 1;
	}
	o = json_read(buf, len, &f);
	if (!o || !json_object_is_type(o, json_type_object))
		return 0;
	r->has_subject = read_subject(o, &r->subject);
	/* A subject keeps its referrers; a referrer does not keep its subject. */
	json_object_object_foreach(o, key, val) {
		if (strcmp(key, "subject") != 0)
			add_all(r, val);
	}
	return 1;
}
