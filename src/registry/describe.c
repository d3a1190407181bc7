/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: manifests to descriptors of referrers.
 *
 * Owns nothing. Knows no disk.
 */
#include "registry/describe.h"

#include <string.h>

#include "base/json.h"
#include "base/json_check.h"
#include "registry/manifest.h"

static int read_subject(struct json_object *o, struct digest *subject)
{
	struct json_object *s;
	const char *text;
	size_t len;

	return json_get_object(o, "subject", &s) == 1 && json_get_string(s, "digest", &text, &len) == 1 &&
	       digest_parse(subject, text, len) == 0;
}

static void add_member(struct str *out, const char *key, const char *val, size_t len)
{
	str_addf(out, ",\"%s\":\"", key);
	str_add_json_short(out, val, len);
	str_addc(out, '"');
}

static void add_artifact_type(struct str *out, struct json_object *o)
{
	struct json_object *config;
	const char *type;
	size_t len;

	if (json_get_string(o, "artifactType", &type, &len) == 1 && len > 0)
		add_member(out, "artifactType", type, len);
	else if (json_get_object(o, "config", &config) == 1 && json_get_string(config, "mediaType", &type, &len) == 1 && len > 0)
		add_member(out, "artifactType", type, len);
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
		str_add_json_short(out, key, strlen(key));
		str_puts(out, "\":\"");
		str_add_json_short(out, json_object_get_string(val), (size_t)json_object_get_string_len(val));
		str_addc(out, '"');
	}
	if (count)
		str_addc(out, '}');
}

int manifest_describe(const char *buf, size_t len, const struct digest *d, struct digest *subject, struct str *out)
{
	cleanup_str struct str type = STR_INIT;
	cleanup_json struct json_object *o = NULL;
	struct json_fault f;

	*subject = (struct digest){ 0 };
	/* Most manifests have no subject: no tree is built for those. */
	if (json_top_has(buf, len, "subject") != 1)
		return 0;
	o = json_read(buf, len, &f);
	if (!o || !read_subject(o, subject))
		return 0;
	manifest_sniff(&type, buf, len);
	str_puts(out, "{\"mediaType\":\"");
	str_add_json_short(out, type.buf, type.len);
	str_addf(out, "\",\"digest\":\"%s\",\"size\":%zu", d->text, len);
	add_artifact_type(out, o);
	add_annotations(out, o);
	str_addc(out, '}');
	return 1;
}
