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
#include "base/json.h"
#include "base/json_check.h"
#include "base/json_top.h"
#include "base/mem.h"
#include "registry/manifest.h"

#define SCHEMA_VERSION 2
#define WHERE_MAX 64                    /* "manifests[49999].platform" */

static const char *const manifest_keys[] = {
	"schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations", NULL
};

static const char *const descriptor_keys[] = {
	"mediaType", "digest", "size", "urls", "annotations", "data", "artifactType", "platform", NULL
};

static const char *const platform_keys[] = {
	"architecture", "os", "os.version", "os.features", "variant", "features", NULL
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

/* Refuse keys that differ from a defined one only in case: readers would disagree on the content. */
static int check_keys(struct json_object *o, const char *const *defined, const char *where, struct err *e)
{
	json_object_object_foreach(o, key, val) {
		const char *const *d;

		(void)val;
		for (d = defined; *d; d++) {
			if (strcmp(key, *d) != 0 && folds_to(key, *d))
				return err_set(e, ERR_MANIFEST_INVALID, "%s%skey \"%s\" differs from \"%s\" only in case",
					       where, *where ? ": " : "", key, *d);
		}
	}
	return 0;
}

/* An optional string: 1, 0 absent, -1 with *e. NUL is refused: readers in C would truncate the string. */
static int get_text(struct json_object *o, const char *key, const char **val, const char *where, struct err *e)
{
	size_t len;
	int rc = json_get_string(o, key, val, &len);

	if (rc < 0)
		return bad(e, where, key, "is not a string");
	if (rc && strlen(*val) != len)
		return bad(e, where, key, "contains a NUL");
	return rc;
}

static int check_text(struct json_object *o, const char *key, const char *where, struct err *e)
{
	const char *val;

	return get_text(o, key, &val, where, e) < 0 ? -1 : 0;
}

/* An optional list of *n strings. */
static int check_texts(struct json_object *o, const char *key, size_t *n, const char *where, struct err *e)
{
	struct json_object *list;
	int rc = json_get_array(o, key, &list);
	size_t i;

	*n = 0;
	if (rc < 0)
		return bad(e, where, key, "is not a list of strings");
	if (!rc)
		return 0;
	*n = json_object_array_length(list);
	for (i = 0; i < *n; i++) {
		if (!json_object_is_type(json_object_array_get_idx(list, i), json_type_string))
			return bad(e, where, key, "is not a list of strings");
	}
	return 0;
}

static int check_annotations(struct json_object *o, const char *where, struct err *e)
{
	struct json_object *map;
	int rc = json_get_object(o, "annotations", &map);

	if (rc < 0)
		return bad(e, where, "annotations", "is not an object");
	if (!rc)
		return 0;
	json_object_object_foreach(map, key, val) {
		if (val && !json_object_is_type(val, json_type_string))
			return err_set(e, ERR_MANIFEST_INVALID, "%s%sannotation \"%s\" is not a string", where,
				       *where ? ": " : "", key);
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

static int check_platform(struct json_object *o, const char *where, struct err *e)
{
	static const char *const texts[] = { "architecture", "os", "os.version", "variant" };
	struct json_object *p;
	char inner[WHERE_MAX];
	int rc = json_get_object(o, "platform", &p);
	size_t i, n;

	if (rc < 0)
		return bad(e, where, "platform", "is not an object");
	if (!rc)
		return 0;
	snprintf(inner, sizeof(inner), "%s.platform", where);
	if (check_keys(p, platform_keys, inner, e) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		if (check_text(p, texts[i], inner, e) < 0)
			return -1;
	}
	if (check_texts(p, "os.features", &n, inner, e) < 0 || check_texts(p, "features", &n, inner, e) < 0)
		return -1;
	return 0;
}

/* The optional fields of a descriptor; *has_urls is set to whether `urls` has an entry. */
static int check_descriptor_extras(struct json_object *o, bool *has_urls, const char *where, struct err *e)
{
	const char *data;
	size_t len, n;
	int rc;

	if (check_texts(o, "urls", &n, where, e) < 0)
		return -1;
	*has_urls = n > 0;
	if (check_annotations(o, where, e) < 0 || check_text(o, "artifactType", where, e) < 0)
		return -1;
	rc = json_get_string(o, "data", &data, &len);
	if (rc < 0 || (rc && !is_base64(data, len)))
		return bad(e, where, "data", "is not a string of base64");
	return check_platform(o, where, e);
}

/* Read one descriptor into *d, except for its kind. On failure *d owns nothing. */
static int read_descriptor(struct json_object *o, struct descriptor *d, const char *where, struct err *e)
{
	const char *type, *digest;
	bool has_urls;
	size_t len;
	int rc;

	memset(d, 0, sizeof(*d));
	if (!json_object_is_type(o, json_type_object))
		return bad(e, where, NULL, "not an object");
	if (check_keys(o, descriptor_keys, where, e) < 0)
		return -1;
	rc = get_text(o, "mediaType", &type, where, e);
	if (rc < 0)
		return -1;
	if (!rc || !*type)
		return bad(e, where, "mediaType", "is missing");
	rc = json_get_string(o, "digest", &digest, &len);
	if (!rc)
		return bad(e, where, "digest", "is missing");
	if (rc < 0 || digest_parse(&d->digest, digest, len) < 0)
		return bad(e, where, "digest", "is not a digest (sha256 or sha512 and lower-case hex)");
	rc = json_get_u64(o, "size", &d->size);
	if (!rc)
		return bad(e, where, "size", "is missing");
	if (rc < 0 || d->size > INT64_MAX)
		return bad(e, where, "size", "is not an integer >= 0");
	if (check_descriptor_extras(o, &has_urls, where, e) < 0)
		return -1;
	d->media_type = xstrdup(type);
	d->optional = has_urls || mediatype_nondistributable(type, strlen(type));
	return 0;
}

/* Add a descriptor to m->refs, which has room for it. */
static int add_ref(struct manifest *m, struct json_object *o, enum manifest_ref_kind kind, const char *where,
		   struct err *e)
{
	struct descriptor *d = &m->refs[m->nrefs];

	if (read_descriptor(o, d, where, e) < 0)
		return -1;
	if (kind == MREF_CHILD_MANIFEST && mediatype_parse(d->media_type, strlen(d->media_type)) == MEDIATYPE_OTHER)
		kind = MREF_CHILD_BLOB;
	d->kind = kind;
	if (kind != MREF_LAYER)         /* only layers may be stored elsewhere */
		d->optional = false;
	m->nrefs++;
	return 0;
}

static int add_refs(struct manifest *m, struct json_object *list, const char *key, enum manifest_ref_kind kind,
		    struct err *e)
{
	size_t n = json_object_array_length(list), i;
	char where[WHERE_MAX];

	m->refs = xreallocarray(m->refs, m->nrefs + n, sizeof(*m->refs));
	for (i = 0; i < n; i++) {
		snprintf(where, sizeof(where), "%s[%zu]", key, i);
		if (add_ref(m, json_object_array_get_idx(list, i), kind, where, e) < 0)
			return -1;
	}
	return 0;
}

/* Set the type from the header and the mediaType inside, which must agree. */
static int settle_type(struct manifest *m, struct json_object *o, const char *content_type, struct err *e)
{
	const char *inner;
	int rc = get_text(o, "mediaType", &inner, "", e);

	if (rc < 0)
		return -1;
	if (content_type && *content_type) {
		m->type = mediatype_parse(content_type, strlen(content_type));
		if (m->type == MEDIATYPE_OTHER)
			return err_set(e, ERR_MANIFEST_INVALID, "Content-Type \"%s\" is not a manifest type", content_type);
	} else {
		if (!rc)
			return bad(e, "", NULL, "neither a Content-Type header nor a mediaType");
		m->type = mediatype_parse(inner, strlen(inner));
		if (m->type == MEDIATYPE_OTHER)
			return err_set(e, ERR_MANIFEST_INVALID, "mediaType \"%s\" is not a manifest type", inner);
	}
	/* exactly: registries serve the manifest with the inner type */
	if (rc && strcmp(inner, mediatype_text(m->type)) != 0)
		return err_set(e, ERR_MANIFEST_INVALID, "mediaType \"%s\" differs from the Content-Type \"%s\"", inner,
			       mediatype_text(m->type));
	if (!rc && mediatype_is_docker(m->type))
		return bad(e, "", "mediaType", "is missing; this type requires it");
	return 0;
}

static int read_image(struct manifest *m, struct json_object *config, struct json_object *layers, struct err *e)
{
	if (!config)
		return bad(e, "", NULL, "an image manifest without config");
	m->refs = xcalloc(1, sizeof(*m->refs));
	if (add_ref(m, config, MREF_CONFIG, "config", e) < 0)
		return -1;
	return layers ? add_refs(m, layers, "layers", MREF_LAYER, e) : 0;
}

/* config, layers and manifests, as far as the type has them; the others must be absent */
static int read_refs(struct manifest *m, struct json_object *o, struct err *e)
{
	struct json_object *config, *layers, *children;

	if (json_get_object(o, "config", &config) < 0)
		return bad(e, "", "config", "is not an object");
	if (json_get_array(o, "layers", &layers) < 0)
		return bad(e, "", "layers", "is not a list");
	if (json_get_array(o, "manifests", &children) < 0)
		return bad(e, "", "manifests", "is not a list");
	if (!mediatype_is_index(m->type)) {
		if (children)
			return bad(e, "", "manifests", "does not belong in an image manifest");
		return read_image(m, config, layers, e);
	}
	if (config || layers)
		return bad(e, "", config ? "config" : "layers", "does not belong in an index");
	if (!children)
		return bad(e, "", NULL, "an index without manifests");
	return add_refs(m, children, "manifests", MREF_CHILD_MANIFEST, e);
}

static int read_subject(struct manifest *m, struct json_object *o, struct err *e)
{
	struct json_object *subject;
	struct descriptor d;
	int rc = json_get_object(o, "subject", &subject);

	if (rc < 0)
		return bad(e, "", "subject", "is not an object");
	if (!rc)
		return 0;
	if (read_descriptor(subject, &d, "subject", e) < 0)
		return -1;
	m->has_subject = true;
	m->subject = d.digest;
	free(d.media_type);
	return 0;
}

/* distribution-spec 1.1, "Listing Referrers": artifactType, or the media type of the config if that is empty or absent */
static int read_artifact_type(struct manifest *m, struct json_object *o, struct err *e)
{
	const char *type;
	int rc = get_text(o, "artifactType", &type, "", e);

	if (rc < 0)
		return -1;
	if (rc && *type)
		m->artifact_type = xstrdup(type);
	else if (m->nrefs && m->refs[0].kind == MREF_CONFIG)
		m->artifact_type = xstrdup(m->refs[0].media_type);
	return 0;
}

static int read_manifest(struct manifest *m, struct json_object *o, const char *content_type, struct err *e)
{
	uint64_t version;

	if (!json_object_is_type(o, json_type_object))
		return bad(e, "", NULL, "not a JSON object");
	if (check_keys(o, manifest_keys, "", e) < 0)
		return -1;
	if (json_get_u64(o, "schemaVersion", &version) <= 0 || version != SCHEMA_VERSION)
		return bad(e, "", "schemaVersion", "is not 2");
	if (settle_type(m, o, content_type, e) < 0 || read_refs(m, o, e) < 0 || read_subject(m, o, e) < 0)
		return -1;
	if (read_artifact_type(m, o, e) < 0)
		return -1;
	return check_annotations(o, "", e);
}

int manifest_parse(struct manifest *m, const char *buf, size_t len, const char *content_type, struct err *e)
{
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;

	*m = (struct manifest)MANIFEST_INIT;
	o = json_read(buf, len, &f);
	if (!o)
		return err_set(e, ERR_MANIFEST_INVALID, "JSON: %s, at byte %zu", f.what, f.at);
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
