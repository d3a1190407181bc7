/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_facts: what is told of a manifest.
 *
 * Owns no state. Invariant: a text from content is bounded before it is kept. Knows nothing of HTTP or users.
 */
#include "registry/reg_facts.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/digestset.h"
#include "base/json_check.h"
#include "os/file.h"
#include "registry/manifest_scan.h"
#include "registry/reg_stored.h"
#include "store/blob.h"

#define CHILDREN_MAX 100        /* manifests of an index that are read */
#define DEPTH_MAX 4             /* of indexes in indexes */
#define PLATFORM_MAX 64
#define TEXT_MAX 8192           /* bytes of JSON of a string that is decoded at all */

void facts_release(struct facts *f)
{
	str_release(&f->media_type);
	str_release(&f->artifact_type);
	str_release(&f->platforms);
}

static void add_short(struct str *out, struct json_view v, size_t max)
{
	cleanup_str struct str text = STR_INIT;

	if (v.kind != JSON_STRING || v.len > TEXT_MAX)
		return;
	json_view_text(v, &text);
	str_add(out, text.buf, strnlen(text.buf, text.len < max ? text.len : max));
}

bool facts_platform(struct json_view o, struct str *out)
{
	static const char *const parts[] = { "os", "architecture", "variant" };
	cleanup_str struct str text = STR_INIT;
	size_t i;

	for (i = 0; i < 3; i++) {
		struct json_view v = json_view_get(o, parts[i]);
		size_t before = text.len;

		if (i && v.kind == JSON_STRING)
			str_addc(&text, '/');
		add_short(&text, v, 24);
		if (text.len > before + (i > 0))
			continue;
		if (i < 2)
			return false;
		str_cut(&text, before);
	}
	/* A comma separates platforms. */
	if (text.len > PLATFORM_MAX || memchr(text.buf, ',', text.len) || strcmp(text.buf, "unknown/unknown") == 0)
		return false;
	str_add(out, text.buf, text.len);
	return true;
}

bool facts_digest(struct json_view descriptor, struct digest *d)
{
	cleanup_str struct str text = STR_INIT;
	struct json_view v = json_view_get(descriptor, "digest");

	if (v.kind != JSON_STRING || v.len > TEXT_MAX)
		return false;
	json_view_text(v, &text);
	return digest_parse(d, text.buf, text.len) == 0;
}

/* What follows a time: "Z", or "+02:00"; false: anything else. */
static bool read_offset(const char *s, int64_t *seconds)
{
	uint64_t hours, minutes;

	*seconds = 0;
	if (strcmp(s, "Z") == 0)
		return true;
	if ((*s != '+' && *s != '-') || strlen(s) != strlen("+02:00") || s[3] != ':' || str_parse_u64(s + 1, 2, &hours) < 0 ||
	    str_parse_u64(s + 4, 2, &minutes) < 0)
		return false;
	*seconds = (*s == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool facts_time(struct json_view v, int64_t *seconds)
{
	cleanup_str struct str text = STR_INIT;
	struct tm tm = { 0 };
	const char *end;
	int64_t offset;

	if (v.kind != JSON_STRING || v.len > 64)
		return false;
	json_view_text(v, &text);
	end = strptime(text.buf, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!end || !read_offset(end, &offset))
		return false;
	*seconds = timegm(&tm) - offset;
	return true;
}

bool facts_is_config(struct json_view type)
{
	return json_view_is(type, "application/vnd.oci.image.config.v1+json") || json_view_is(type, "application/vnd.docker.container.image.v1+json");
}

bool facts_attests(struct json_view descriptor)
{
	return json_view_is(json_view_get(json_view_get(descriptor, "annotations"), "vnd.docker.reference.type"), "attestation-manifest");
}

int facts_json(struct registry *r, const struct name *linked, const struct digest *d, uint64_t max, struct str *bytes, struct err *e)
{
	struct digest content = *d;
	cleanup_fd int fd = -1;
	struct json_fault f;
	uint64_t size;
	int found = linked ? blob_read_link(r->st, linked, d, &content, e) : 1;

	if (found == 1)
		found = blob_open(r->st, &content, &fd, &size, e);
	if (found <= 0 || size > max)
		return found < 0 ? -1 : 0;
	if (os_read_str(fd, size, bytes) < 0)
		return err_sys(e, "cannot read %s", content.text);
	return json_check(bytes->buf, bytes->len, &f) == 0;
}

/* A walk over what a manifest names. */
struct sum {
	struct registry *r;
	const struct name *n;
	struct facts *f;
	bool checked;
	struct digestset seen;
	size_t children;
};

static void add_bytes(struct sum *s, struct json_view descriptor)
{
	struct digest d;
	uint64_t size;

	if (!facts_digest(descriptor, &d) || digestset_has(&s->seen, &d) || json_view_u64(json_view_get(descriptor, "size"), &size) < 0)
		return;
	digestset_add(&s->seen, &d);
	if (size <= INT64_MAX - s->f->bytes)
		s->f->bytes += size;
}

static void add_platform(struct facts *f, struct json_view o)
{
	cleanup_str struct str one = STR_INIT;
	size_t len = f->platforms.len;

	if (!facts_platform(o, &one) || len + 1 + one.len > FACTS_PLATFORMS_MAX)
		return;
	/* Two images of one platform are shown once. */
	for (const char *s = f->platforms.buf; (s = strstr(s, one.buf)) != NULL; s++)
		if ((s == f->platforms.buf || s[-1] == ',') && (!s[one.len] || s[one.len] == ','))
			return;
	if (len)
		str_addc(&f->platforms, ',');
	str_add(&f->platforms, one.buf, one.len);
}

/* What the configuration of an image says. */
static int read_config(struct sum *s, struct json_view config, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	struct json_view o;
	struct digest d;
	int found;

	if (!facts_is_config(json_view_get(config, "mediaType")) || !facts_digest(config, &d))
		return 0;
	found = facts_json(s->r, s->checked ? NULL : s->n, &d, FACTS_CONFIG_MAX, &bytes, e);
	if (found <= 0)
		return found;
	o = json_view_of(bytes.buf, bytes.len);
	add_platform(s->f, o);
	s->f->dated = facts_time(json_view_get(o, "created"), &s->f->created);
	return 0;
}

static int add_manifest(struct sum *s, const char *buf, size_t len, unsigned depth, struct err *e);

/* The bytes of a manifest: 1, 0 if the repository lacks it or nobody can pull it, -1 with *e. */
static int read_stored(struct registry *r, const struct name *n, const struct digest *d, struct str *bytes, struct err *e)
{
	int found = reg_stored_bytes(r, n, d, bytes, e);

	if (found >= 0 || e->code != ERR_MANIFEST_INVALID)
		return found;
	err_release(e);
	return 0;
}

/* A manifest of an index: its bytes count if it is here. */
static int add_child(struct sum *s, struct json_view descriptor, unsigned depth, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	struct digest d;
	int found;

	if (depth == 0 && !facts_attests(descriptor))
		add_platform(s->f, json_view_get(descriptor, "platform"));
	if (depth >= DEPTH_MAX || s->children >= CHILDREN_MAX || !facts_digest(descriptor, &d) || digestset_has(&s->seen, &d))
		return 0;
	s->children++;
	digestset_add(&s->seen, &d);
	found = read_stored(s->r, s->n, &d, &bytes, e);
	return found == 1 ? add_manifest(s, bytes.buf, bytes.len, depth + 1, e) : found;
}

static int add_manifest(struct sum *s, const char *buf, size_t len, unsigned depth, struct err *e)
{
	struct json_view o, entry;
	struct json_fault f;
	struct json_walk w;

	s->f->bytes += len;
	if (json_check(buf, len, &f) < 0)
		return 0;
	o = json_view_of(buf, len);
	add_bytes(s, json_view_get(o, "config"));
	w = json_walk(json_view_get(o, "layers"));
	while (json_walk_next(&w, NULL, &entry))
		add_bytes(s, entry);
	w = json_walk(json_view_get(o, "manifests"));
	while (json_walk_next(&w, NULL, &entry))
		if (add_child(s, entry, depth, e) < 0)
			return -1;
	return depth == 0 ? read_config(s, json_view_get(o, "config"), e) : 0;
}

int facts_of(struct registry *r, const struct name *n, const char *buf, size_t len, bool checked, struct facts *f, struct err *e)
{
	struct sum s = { .r = r, .n = n, .checked = checked, .f = f };
	struct json_fault fault;
	struct json_view o;
	int rc;

	manifest_scan_type(&f->media_type, buf, len);
	str_cut(&f->media_type, f->media_type.len < FACTS_TYPE_MAX ? f->media_type.len : FACTS_TYPE_MAX);
	f->sized = true;
	rc = add_manifest(&s, buf, len, 0, e);
	digestset_release(&s.seen);
	if (rc < 0 || json_check(buf, len, &fault) < 0)
		return rc;
	o = json_view_of(buf, len);
	add_short(&f->artifact_type, json_view_get(o, "artifactType"), FACTS_TYPE_MAX);
	if (!f->artifact_type.len && !facts_is_config(json_view_get(json_view_get(o, "config"), "mediaType")))
		add_short(&f->artifact_type, json_view_get(json_view_get(o, "config"), "mediaType"), FACTS_TYPE_MAX);
	if (!f->dated)
		f->dated = facts_time(json_view_get(json_view_get(o, "annotations"), "org.opencontainers.image.created"), &f->created);
	return 0;
}

int facts_read(struct registry *r, const struct name *n, const struct digest *d, struct facts *f, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT;
	int found = read_stored(r, n, d, &bytes, e);

	return found <= 0 ? found : facts_of(r, n, bytes.buf, bytes.len, false, f, e) < 0 ? -1 : 1;
}
