/* SPDX-License-Identifier: Apache-2.0 */
/*
 * manifest: the strict reader of manifests.
 *
 * Owns the fields that the specifications define, level by level. Invariant: a manifest that is accepted means the same
 * to every reader. Registries written in Go, and their collectors, fail on a defined field of another type, and read
 * "Layers" as "layers": both are refused. Undefined fields are ignored. Knows no disk, no HTTP and no users.
 */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mem.h"
#include "registry/manifest.h"

#define SCHEMA_VERSION 2
#define WHERE_MAX 64                    /* "manifests[49999].platform" */

/* The fields that are defined, level by level, and where read_members() puts them. */
enum { M_VERSION, M_TYPE, M_ARTIFACT_TYPE, M_CONFIG, M_LAYERS, M_MANIFESTS, M_SUBJECT, M_ANNOTATIONS, M_COUNT };
enum { D_TYPE, D_DIGEST, D_SIZE, D_URLS, D_ANNOTATIONS, D_DATA, D_ARTIFACT_TYPE, D_PLATFORM, D_COUNT };
enum { P_ARCHITECTURE, P_OS, P_OS_VERSION, P_VARIANT, P_OS_FEATURES, P_FEATURES, P_COUNT };
#define FIELDS_MAX 8
#define FIELD_NAME_MAX 13               /* bytes: "schemaVersion" */

static const char *const manifest_keys[] = {
	"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations", NULL
};

static const char *const descriptor_keys[] = {
	"mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform", NULL
};

static const char *const platform_keys[] = {
	"architecture", "os", "os.version", "variant", "os.features", "features", NULL
};

_Static_assert(M_COUNT == ARRAY_LEN(manifest_keys) - 1 && D_COUNT == ARRAY_LEN(descriptor_keys) - 1 &&
	       P_COUNT == ARRAY_LEN(platform_keys) - 1 && M_COUNT <= FIELDS_MAX && D_COUNT <= FIELDS_MAX, "a place for each field");

/* The members of an object that are defined; JSON_ABSENT also for null. */
struct members {
	struct json_view v[FIELDS_MAX];
};

/* Refuse the manifest: `where` is empty at the top level, `key` may be NULL. */
static int bad(struct err *e, const char *where, const char *key, const char *what)
{
	return err_set(e, ERR_MANIFEST_INVALID, "%s%s%s%s%s", where, *where ? ": " : "", key ? key : "", key ? " " : "",
		       what);
}

/*
 * Whether Go's encoding/json reads `key` as the defined name, which consists of ASCII letters. Its case folding also maps
 * U+017F (long s) to s and U+212A (Kelvin sign) to k.
 */
static bool folds_to(const char *key, const char *name)
{
	while (*key && *name) {
		char c = *key, n = *name++;
		size_t step = 1;

		if (strncmp(key, "\xc5\xbf", 2) == 0) {
			c = 's';
			step = 2;
		} else if (strncmp(key, "\xe2\x84\xaa", 3) == 0) {
			c = 'k';
			step = 3;
		}
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (n >= 'A' && n <= 'Z')
			n = (char)(n - 'A' + 'a');
		if (c != n)
			return false;
		key += step;
	}
	return !*key && !*name;
}

/* One key against the names of its level. */
static int take_member(struct members *m, const char *const *defined, const char *key, struct json_view val, const char *where,
		       struct err *e)
{
	size_t i;

	for (i = 0; defined[i]; i++) {
		if (strcmp(key, defined[i]) == 0) {
			if (val.kind != JSON_NULL)
				m->v[i] = val;
		} else if (folds_to(key, defined[i])) {
			return err_set(e, ERR_MANIFEST_INVALID, "%s%skey \"%s\" differs from \"%s\" only in case", where,
				       *where ? ": " : "", key, defined[i]);
		}
	}
	return 0;
}

/*
 * Read the members of an object in one walk. Keys that differ from a defined one only in case are refused: readers would
 * disagree on the content. A longer key than \uXXXX for each byte of a name (a Kelvin sign has three) is none of them.
 */
static int read_members(struct json_view o, const char *const *defined, struct members *m, const char *where, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct json_walk w = json_walk(o);
	struct json_view key, val;

	*m = (struct members){ 0 };
	while (json_walk_next(&w, &key, &val)) {
		if (key.len > 6 * FIELD_NAME_MAX + 2)
			continue;
		str_reset(&text);
		json_view_text(key, &text);
		if (take_member(m, defined, text.buf, val, where, e) < 0)
			return -1;
	}
	return 0;
}

/* An optional string, decoded: 1, 0 absent, -1 with *e. NUL is refused: readers in C would truncate the string. */
static int get_text(struct json_view v, const char *key, struct str *out, const char *where, struct err *e)
{
	str_reset(out);
	if (v.kind == JSON_ABSENT)
		return 0;
	if (v.kind != JSON_STRING)
		return bad(e, where, key, "is not a string");
	json_view_text(v, out);
	if (strlen(out->buf) != out->len)
		return bad(e, where, key, "contains a NUL");
	return 1;
}

static int check_text(struct json_view v, const char *key, const char *where, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	return get_text(v, key, &text, where, e) < 0 ? -1 : 0;
}

/* An optional list of strings; *any is set to whether it has one. */
static int check_texts(struct json_view v, const char *key, bool *any, const char *where, struct err *e)
{
	struct json_walk w = json_walk(v);
	struct json_view entry;

	*any = false;
	if (v.kind != JSON_ABSENT && v.kind != JSON_LIST)
		return bad(e, where, key, "is not a list of strings");
	while (json_walk_next(&w, NULL, &entry)) {
		if (entry.kind != JSON_STRING)
			return bad(e, where, key, "is not a list of strings");
		*any = true;
	}
	return 0;
}

static int check_annotations(struct json_view v, const char *where, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct json_walk w = json_walk(v);
	struct json_view key, val;

	if (v.kind != JSON_ABSENT && v.kind != JSON_OBJECT)
		return bad(e, where, "annotations", "is not an object");
	while (json_walk_next(&w, &key, &val)) {
		if (val.kind == JSON_STRING || val.kind == JSON_NULL)
			continue;
		json_view_text(key, &text);
		return err_set(e, ERR_MANIFEST_INVALID, "%s%sannotation \"%s\" is not a string", where, *where ? ": " : "", text.buf);
	}
	return 0;
}

/* RFC 4648, 4, with padding and without line breaks, as Go's decoder requires. */
static bool is_base64(const char *s, size_t len)
{
	size_t i, pad = 0;

	if (len % 4)
		return false;
	while (pad < 2 && pad < len && s[len - 1 - pad] == '=')
		pad++;
	for (i = 0; i < len - pad; i++) {
		char c = s[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/'))
			return false;
	}
	return true;
}

static int check_platform(struct json_view v, const char *where, struct err *e)
{
	struct members m;
	char inner[WHERE_MAX];
	bool any;
	int i;

	if (v.kind == JSON_ABSENT)
		return 0;
	if (v.kind != JSON_OBJECT)
		return bad(e, where, "platform", "is not an object");
	snprintf(inner, sizeof(inner), "%s.platform", where);
	if (read_members(v, platform_keys, &m, inner, e) < 0)
		return -1;
	for (i = P_ARCHITECTURE; i <= P_VARIANT; i++)
		if (check_text(m.v[i], platform_keys[i], inner, e) < 0)
			return -1;
	for (; i <= P_FEATURES; i++)
		if (check_texts(m.v[i], platform_keys[i], &any, inner, e) < 0)
			return -1;
	return 0;
}

static int check_data(struct json_view v, const char *where, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind == JSON_ABSENT)
		return 0;
	if (v.kind == JSON_STRING)
		json_view_text(v, &text);
	if (v.kind != JSON_STRING || !is_base64(text.buf, text.len))
		return bad(e, where, "data", "is not a string of base64");
	return 0;
}

/* The optional fields of a descriptor; *has_urls is set to whether `urls` has an entry. */
static int check_descriptor_extras(const struct members *m, bool *has_urls, const char *where, struct err *e)
{
	if (check_texts(m->v[D_URLS], "urls", has_urls, where, e) < 0 || check_annotations(m->v[D_ANNOTATIONS], where, e) < 0 ||
	    check_text(m->v[D_ARTIFACT_TYPE], "artifactType", where, e) < 0 || check_data(m->v[D_DATA], where, e) < 0)
		return -1;
	return check_platform(m->v[D_PLATFORM], where, e);
}

static int read_digest(struct json_view v, struct digest *d, const char *where, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind == JSON_ABSENT)
		return bad(e, where, "digest", "is missing");
	if (v.kind == JSON_STRING)
		json_view_text(v, &text);
	if (v.kind != JSON_STRING || digest_parse(d, text.buf, text.len) < 0)
		return bad(e, where, "digest", "is not a digest (sha256 or sha512 and lower-case hex)");
	return 0;
}

/* Read one descriptor into *d, except for its kind. On failure *d owns nothing. */
static int read_descriptor(struct json_view o, struct descriptor *d, const char *where, struct err *e)
{
	cleanup_str struct str type = STR_INIT;
	struct members m;
	bool has_urls;
	int rc;

	memset(d, 0, sizeof(*d));
	if (o.kind != JSON_OBJECT)
		return bad(e, where, NULL, "not an object");
	if (read_members(o, descriptor_keys, &m, where, e) < 0)
		return -1;
	rc = get_text(m.v[D_TYPE], "mediaType", &type, where, e);
	if (rc < 0)
		return -1;
	if (!rc || !type.len)
		return bad(e, where, "mediaType", "is missing");
	if (read_digest(m.v[D_DIGEST], &d->digest, where, e) < 0)
		return -1;
	if (m.v[D_SIZE].kind == JSON_ABSENT)
		return bad(e, where, "size", "is missing");
	if (json_view_u64(m.v[D_SIZE], &d->size) < 0 || d->size > INT64_MAX)
		return bad(e, where, "size", "is not an integer >= 0");
	if (check_descriptor_extras(&m, &has_urls, where, e) < 0)
		return -1;
	d->media_type = xstrdup(type.buf);
	d->optional = has_urls || mediatype_nondistributable(type.buf, type.len);
	return 0;
}

/* Add a descriptor to m->refs, of which cap are allocated. */
static int add_ref(struct manifest *m, size_t *cap, struct json_view o, enum manifest_ref_kind kind, const char *where,
		   struct err *e)
{
	struct descriptor d;

	if (read_descriptor(o, &d, where, e) < 0)
		return -1;
	if (kind == MREF_CHILD_MANIFEST && mediatype_parse(d.media_type, strlen(d.media_type)) == MEDIATYPE_OTHER)
		kind = MREF_CHILD_BLOB;
	d.kind = kind;
	if (kind != MREF_LAYER)         /* only layers may be stored elsewhere */
		d.optional = false;
	if (m->nrefs == *cap) {
		*cap = *cap ? *cap * 2 : 16;
		m->refs = xreallocarray(m->refs, *cap, sizeof(*m->refs));
	}
	m->refs[m->nrefs++] = d;
	return 0;
}

static int add_refs(struct manifest *m, size_t *cap, struct json_view list, const char *key, enum manifest_ref_kind kind,
		    struct err *e)
{
	struct json_walk w = json_walk(list);
	struct json_view entry;
	char where[WHERE_MAX];
	size_t i;

	for (i = 0; json_walk_next(&w, NULL, &entry); i++) {
		snprintf(where, sizeof(where), "%s[%zu]", key, i);
		if (add_ref(m, cap, entry, kind, where, e) < 0)
			return -1;
	}
	return 0;
}

/* Set the type from the header and the mediaType inside, which must agree. */
static int settle_type(struct manifest *m, struct json_view v, const char *content_type, struct err *e)
{
	cleanup_str struct str inner = STR_INIT;
	int rc = get_text(v, "mediaType", &inner, "", e);

	if (rc < 0)
		return -1;
	if (content_type && *content_type) {
		m->type = mediatype_parse(content_type, strlen(content_type));
		if (m->type == MEDIATYPE_OTHER)
			return err_set(e, ERR_MANIFEST_INVALID, "Content-Type \"%s\" is not a manifest type", content_type);
	} else {
		if (!rc)
			return bad(e, "", NULL, "neither a Content-Type header nor a mediaType");
		m->type = mediatype_parse(inner.buf, inner.len);
		if (m->type == MEDIATYPE_OTHER)
			return err_set(e, ERR_MANIFEST_INVALID, "mediaType \"%s\" is not a manifest type", inner.buf);
	}
	/* exactly: registries serve the manifest with the inner type */
	if (rc && strcmp(inner.buf, mediatype_text(m->type)) != 0)
		return err_set(e, ERR_MANIFEST_INVALID, "mediaType \"%s\" differs from the Content-Type \"%s\"", inner.buf,
			       mediatype_text(m->type));
	if (!rc && mediatype_is_docker(m->type))
		return bad(e, "", "mediaType", "is missing; this type requires it");
	return 0;
}

static bool is_other(struct json_view v, enum json_kind kind)
{
	return v.kind != JSON_ABSENT && v.kind != kind;
}

/* config, layers and manifests, as far as the type has them; the others must be absent */
static int read_refs(struct manifest *m, const struct members *all, struct err *e)
{
	struct json_view config = all->v[M_CONFIG], layers = all->v[M_LAYERS], children = all->v[M_MANIFESTS];
	size_t cap = 0;

	if (is_other(config, JSON_OBJECT))
		return bad(e, "", "config", "is not an object");
	if (is_other(layers, JSON_LIST))
		return bad(e, "", "layers", "is not a list");
	if (is_other(children, JSON_LIST))
		return bad(e, "", "manifests", "is not a list");
	if (!mediatype_is_index(m->type)) {
		if (children.kind)
			return bad(e, "", "manifests", "does not belong in an image manifest");
		if (!config.kind)
			return bad(e, "", NULL, "an image manifest without config");
		if (add_ref(m, &cap, config, MREF_CONFIG, "config", e) < 0)
			return -1;
		return add_refs(m, &cap, layers, "layers", MREF_LAYER, e);
	}
	if (config.kind || layers.kind)
		return bad(e, "", config.kind ? "config" : "layers", "does not belong in an index");
	if (!children.kind)
		return bad(e, "", NULL, "an index without manifests");
	return add_refs(m, &cap, children, "manifests", MREF_CHILD_MANIFEST, e);
}

static int read_subject(struct manifest *m, struct json_view v, struct err *e)
{
	struct descriptor d;

	if (v.kind == JSON_ABSENT)
		return 0;
	if (v.kind != JSON_OBJECT)
		return bad(e, "", "subject", "is not an object");
	if (read_descriptor(v, &d, "subject", e) < 0)
		return -1;
	m->has_subject = true;
	m->subject = d.digest;
	m->subject_size = d.size;
	free(d.media_type);
	return 0;
}

/* distribution-spec 1.1, "Listing Referrers": artifactType, or the media type of the config if that is empty or absent */
static int read_artifact_type(struct manifest *m, struct json_view v, struct err *e)
{
	cleanup_str struct str type = STR_INIT;

	if (get_text(v, "artifactType", &type, "", e) < 0)
		return -1;
	if (type.len)
		m->artifact_type = xstrdup(type.buf);
	else if (m->nrefs && m->refs[0].kind == MREF_CONFIG)
		m->artifact_type = xstrdup(m->refs[0].media_type);
	return 0;
}

static int read_manifest(struct manifest *m, struct json_view o, const char *content_type, struct err *e)
{
	struct members all;
	uint64_t version;

	if (read_members(o, manifest_keys, &all, "", e) < 0)
		return -1;
	if (json_view_u64(all.v[M_VERSION], &version) < 0 || version != SCHEMA_VERSION)
		return bad(e, "", "schemaVersion", "is not 2");
	if (settle_type(m, all.v[M_TYPE], content_type, e) < 0 || read_refs(m, &all, e) < 0 ||
	    read_subject(m, all.v[M_SUBJECT], e) < 0 || read_artifact_type(m, all.v[M_ARTIFACT_TYPE], e) < 0)
		return -1;
	return check_annotations(all.v[M_ANNOTATIONS], "", e);
}

int manifest_parse(struct manifest *m, const char *buf, size_t len, const char *content_type, struct err *e)
{
	struct json_fault f;
	struct json_view o;

	*m = (struct manifest)MANIFEST_INIT;
	if (json_check(buf, len, &f) < 0)
		return err_set(e, ERR_MANIFEST_INVALID, "JSON: %s, at byte %zu", f.what, f.at);
	o = json_view_of(buf, len);
	if (o.kind != JSON_OBJECT)
		return bad(e, "", NULL, "not a JSON object");
	if (read_manifest(m, o, content_type, e) < 0) {
		manifest_release(m);
		return -1;
	}
	return 0;
}

void manifest_release(struct manifest *m)
{
	size_t i;

	for (i = 0; i < m->nrefs; i++)
		free(m->refs[i].media_type);
	free(m->refs);
	free(m->artifact_type);
	*m = (struct manifest)MANIFEST_INIT;
}
