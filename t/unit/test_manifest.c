/* SPDX-License-Identifier: Apache-2.0 */
/* manifest: what may be pushed, and what it names. */

#include <stdlib.h>
#include "base/mem.h"
#include "registry/manifest.h"
#include "tap.h"

#define DA "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DB "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define DC "sha512:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc" \
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"
#define LAYER_TYPE "application/vnd.oci.image.layer.v1.tar+gzip"

#define DESC(type, digest, rest) "{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":7" rest "}"
#define CONFIG DESC(CONFIG_TYPE, DA, "")
#define LAYER DESC(LAYER_TYPE, DB, "")
#define IMAGE(rest) "{\"schemaVersion\":2,\"config\":" CONFIG rest "}"
#define INDEX(children, rest) "{\"schemaVersion\":2,\"manifests\":" children rest "}"
#define INNER(type) ",\"mediaType\":\"" type "\""

static struct err e = ERR_INIT;

static int parse_n(struct manifest *m, const char *s, size_t len, const char *type)
{
	struct err fresh = ERR_INIT;
	int rc;

	err_release(&e);
	e = fresh;
	rc = manifest_parse(m, s, len, type, &e);
	if (rc < 0 && (e.code != ERR_MANIFEST_INVALID || e.status != 400 || !*e.detail || m->refs || m->artifact_type))
		rc = -2;        /* a refusal that is not what the contract says */
	return rc;
}

static int parses(const char *s, const char *type)
{
	struct manifest m;
	int rc = parse_n(&m, s, strlen(s), type);

	if (rc == 0)
		manifest_release(&m);
	return rc;
}

/* Both as OCI types: the one of the two that the text is meant to be. */
static void takes(const char *s, const char *title)
{
	const char *type = strstr(s, "\"manifests\":[") ? MT_OCI_INDEX : MT_OCI_MANIFEST;

	if (!is_int(parses(s, type), 0, "taken: %s", title))
		printf("# %s\n", e.detail);
}

static void refuses(const char *s, const char *detail, const char *title)
{
	const char *type = strstr(s, "\"manifests\":[") ? MT_OCI_INDEX : MT_OCI_MANIFEST;
	int rc = parses(s, type);

	if (!ok(rc == -1 && strstr(e.detail, detail), "refused: %s", title))
		printf("# %d: %s\n", rc, e.detail);
}

static void test_image(void)
{
	struct manifest m;
	static const char s[] = IMAGE(",\"layers\":[" LAYER "," DESC(LAYER_TYPE, DC, "") "]"
				      ",\"subject\":" DESC(MT_OCI_MANIFEST, DB, "") ",\"annotations\":{\"a\":\"b\"}");

	is_int(parse_n(&m, s, strlen(s), MT_OCI_MANIFEST), 0, "an image manifest is read");
	ok(m.type == MEDIATYPE_OCI_MANIFEST && m.nrefs == 3, "it names its config and two layers");
	ok(m.refs[0].kind == MREF_CONFIG && strcmp(m.refs[0].digest.text, DA) == 0 && m.refs[0].size == 7 &&
	   strcmp(m.refs[0].media_type, CONFIG_TYPE) == 0, "the config comes first, whole");
	ok(m.refs[1].kind == MREF_LAYER && strcmp(m.refs[1].digest.text, DB) == 0 && !m.refs[1].optional,
	   "then the layers");
	ok(m.refs[2].digest.alg == DIGEST_SHA512, "sha512 is known in a descriptor");
	ok(m.has_subject && strcmp(m.subject.text, DB) == 0, "the subject is read, and is not one of what must be here");
	is_str(m.artifact_type, CONFIG_TYPE, "without artifactType it is listed under its config's type");
	manifest_release(&m);
	ok(!m.refs && !m.nrefs && !m.artifact_type && !m.has_subject, "a released manifest is empty");
	manifest_release(&m);
}

static void test_index(void)
{
	static const char s[] = INDEX("[" DESC(MT_OCI_MANIFEST, DA, ",\"platform\":{\"architecture\":\"arm64\",\"os\":\"linux\","
		"\"variant\":\"v8\",\"os.version\":\"1\",\"os.features\":[\"x\"],\"features\":[\"y\"]}") ","
		DESC(LAYER_TYPE, DB, ",\"urls\":[\"http://x\"]") "," DESC(MT_DOCKER_LIST, DC, "") "]",
		",\"artifactType\":\"application/x\"");
	struct manifest m;

	is_int(parse_n(&m, s, strlen(s), MT_OCI_INDEX), 0, "an index is read");
	ok(m.type == MEDIATYPE_OCI_INDEX && m.nrefs == 3, "it names its children");
	is_int(m.refs[0].kind, MREF_CHILD_MANIFEST, "a child with a manifest's type is a manifest");
	ok(m.refs[1].kind == MREF_CHILD_BLOB && !m.refs[1].optional, "one of another type is a blob, and must be here");
	is_int(m.refs[2].kind, MREF_CHILD_MANIFEST, "an index may name an index");
	is_str(m.artifact_type, "application/x", "artifactType is what it is listed under");
	manifest_release(&m);
	is_int(parse_n(&m, INDEX("[]", ""), strlen(INDEX("[]", "")), MT_OCI_INDEX), 0, "an index of nothing is read");
	ok(m.nrefs == 0 && m.artifact_type == NULL && !m.has_subject, "an index without artifactType has none");
	manifest_release(&m);
	is_int(parse_n(&m, IMAGE(",\"artifactType\":\"\""), strlen(IMAGE(",\"artifactType\":\"\"")), MT_OCI_MANIFEST), 0,
	       "an empty artifactType is taken");
	is_str(m.artifact_type, CONFIG_TYPE, "and counts as missing");
	manifest_release(&m);
}

static void test_types(void)
{
	static const char inner_docker[] = IMAGE(INNER(MT_DOCKER_MANIFEST));

	is_int(parses(IMAGE(""), MT_OCI_MANIFEST "; charset=utf-8"), 0, "parameters of the header do not count");
	is_int(parses(IMAGE(""), "APPLICATION/vnd.oci.image.manifest.V1+json"), 0, "nor does its case");
	is_int(parses(IMAGE(INNER(MT_OCI_MANIFEST)), MT_OCI_MANIFEST), 0, "header and mediaType may agree");
	is_int(parses(inner_docker, MT_DOCKER_MANIFEST), 0, "a Docker manifest with its type is taken");
	is_int(parses(INDEX("[]", INNER(MT_DOCKER_LIST)), MT_DOCKER_LIST), 0, "so is a Docker list");
	is_int(parses(inner_docker, NULL), 0, "without a header mediaType decides");
	is_int(parses(INDEX("[]", INNER(MT_OCI_INDEX)), ""), 0, "an empty header is none");
	is_int(parses(IMAGE(",\"mediaType\":\"application\\/vnd.oci.image.manifest.v1+json\""), NULL), 0,
	       "mediaType may be written with escapes");
	is_int(parses(IMAGE(",\"mediaType\":null"), MT_OCI_MANIFEST), 0, "a mediaType of null is none");

	is_int(parses(IMAGE(""), NULL), -1, "with neither it is refused");
	is_int(parses(IMAGE(",\"mediaType\":null"), ""), -1, "null does not decide");
	is_int(parses(IMAGE(""), MT_DOCKER_MANIFEST), -1, "a Docker manifest without mediaType is refused");
	is_int(parses(INDEX("[]", ""), MT_DOCKER_LIST), -1, "so is a Docker list");
	is_int(parses(inner_docker, MT_OCI_MANIFEST), -1, "a mediaType that differs from the header is refused");
	ok(strstr(e.detail, MT_DOCKER_MANIFEST) && strstr(e.detail, MT_OCI_MANIFEST), "and the answer names both");
	is_int(parses(IMAGE(INNER(MT_OCI_INDEX)), MT_OCI_MANIFEST), -1, "an index's type in an image is refused");
	is_int(parses(IMAGE(INNER("Application/vnd.oci.image.manifest.v1+json")), MT_OCI_MANIFEST), -1,
	       "mediaType must agree to the letter");
	is_int(parses(IMAGE(INNER("Application/vnd.oci.image.manifest.v1+json")), NULL), -1, "without a header too");
	is_int(parses(IMAGE(INNER("")), MT_OCI_MANIFEST), -1, "an empty mediaType is refused");
	is_int(parses(IMAGE(",\"mediaType\":1"), MT_OCI_MANIFEST), -1, "a mediaType that is a number is refused");
	is_int(parses(IMAGE(INNER(MT_OCI_MANIFEST "\\u0000x")), MT_OCI_MANIFEST), -1, "a NUL in mediaType is refused");
	is_int(parses(IMAGE(""), "application/json"), -1, "another Content-Type is refused");
	is_int(parses(IMAGE(""), MT_DOCKER_SCHEMA1_SIGNED), -1, "schema 1's Content-Type is refused");
	is_int(parses(IMAGE(INNER("application/json")), NULL), -1, "another mediaType is refused");
}

static void test_shape(void)
{
	takes(IMAGE(",\"layers\":[]"), "an image without layers");
	takes(IMAGE(""), "an image without a list of layers");
	takes(IMAGE(",\"layers\":null,\"manifests\":null,\"subject\":null,\"annotations\":null,\"artifactType\":null"),
	      "fields that are null, which count as absent");
	takes(IMAGE(",\"fsLayers\":1,\"x\":{\"Y\":[1.5]}"), "fields that are not defined");
	takes(" \n" IMAGE("") "\n", "white space around");
	refuses("", "JSON:", "nothing");
	refuses("not json", "JSON:", "what is not JSON");
	refuses("[]", "not a JSON object", "a list");
	refuses("null", "not a JSON object", "null");
	refuses("\"x\"", "not a JSON object", "a string");
	refuses("2", "not a JSON object", "a number");
	refuses(IMAGE("") "x", "text after the value", "text behind the manifest");
	refuses("\xef\xbb\xbf" IMAGE(""), "JSON:", "a byte order mark");
	refuses("{\"config\":" CONFIG "}", "schemaVersion is not 2", "no schemaVersion");
	refuses("{\"schemaVersion\":1,\"config\":" CONFIG "}", "schemaVersion is not 2", "schema 1");
	refuses("{\"schemaVersion\":3,\"config\":" CONFIG "}", "schemaVersion is not 2", "schema 3");
	refuses("{\"schemaVersion\":2.0,\"config\":" CONFIG "}", "schemaVersion is not 2", "schemaVersion 2.0");
	refuses("{\"schemaVersion\":\"2\",\"config\":" CONFIG "}", "schemaVersion is not 2", "schemaVersion \"2\"");
	refuses("{\"schemaVersion\":2}", "without config", "an image without config");
	refuses("{\"schemaVersion\":2,\"config\":null,\"layers\":[]}", "without config", "a config of null");
	refuses("{\"schemaVersion\":2,\"config\":[]}", "config is not an object", "a config that is a list");
	refuses(IMAGE(",\"layers\":{}"), "layers is not a list", "layers that are an object");
	refuses("{\"schemaVersion\":2,\"config\":" CONFIG ",\"manifests\":{}}", "manifests is not a list",
		"manifests that are an object");
	refuses(INDEX("[]", ",\"config\":" CONFIG), "config does not belong", "an index with config");
	refuses(INDEX("[]", ",\"layers\":[]"), "layers does not belong", "an index with layers");
	is_int(parses(IMAGE(",\"manifests\":[]"), MT_OCI_MANIFEST), -1, "refused: an image with manifests");
	is_int(parses("{\"schemaVersion\":2}", MT_OCI_INDEX), -1, "refused: an index without manifests");
	is_int(parses("{\"schemaVersion\":2,\"manifests\":null}", MT_OCI_INDEX), -1, "refused: manifests of null");
	refuses(IMAGE(",\"config\":" CONFIG), "same key twice", "config twice");
	refuses(IMAGE(",\"l\\u0061yers\":[],\"layers\":[]"), "same key twice", "layers twice, once with an escape");
	refuses(IMAGE(",\"layers\\u0000\":[]"), "NUL in a key", "NUL in a key");
	refuses(IMAGE(",\"artifactType\":1"), "artifactType is not a string", "an artifactType that is a number");
	refuses(IMAGE(",\"artifactType\":\"a\\u0000b\""), "artifactType contains a NUL", "an artifactType with a NUL");
	refuses(IMAGE(",\"subject\":[]"), "subject is not an object", "a subject that is a list");
	refuses(IMAGE(",\"subject\":{}"), "subject: mediaType is missing", "an empty subject");
	refuses(IMAGE(",\"subject\":\"" DA "\""), "subject is not an object", "a subject that is a digest");
	refuses(IMAGE(",\"annotations\":[]"), "annotations is not an object", "annotations that are a list");
	refuses(IMAGE(",\"annotations\":{\"a\":1}"), "annotation \"a\" is not a string", "an annotation that is a number");
	refuses(IMAGE(",\"annotations\":{\"a\":{}}"), "annotation \"a\" is not", "an annotation that is an object");
	takes(IMAGE(",\"annotations\":{\"layers\":\"x\",\"Layers\":\"y\",\"LAYERS\":\"\"}"),
	      "annotations that differ only in case");
}

/* Every wrong form of a descriptor, once as a layer, once as a child of an index. */
static void descriptor(const char *text, const char *detail, const char *title)
{
	struct str s = STR_INIT;

	str_addf(&s, IMAGE(",\"layers\":[" LAYER ",%s]"), text);
	if (!detail) {
		takes(s.buf, title);
	} else {
		refuses(s.buf, detail, title);
		ok(strstr(e.detail, "layers[1]"), "and the answer says where: %s", e.detail);
	}
	str_reset(&s);
	str_addf(&s, "{\"schemaVersion\":2,\"manifests\":[%s]}", text);
	is_int(parses(s.buf, MT_OCI_INDEX), detail ? -1 : 0, "%s in an index", title);
	str_reset(&s);
	str_addf(&s, "{\"schemaVersion\":2,\"config\":%s}", text);
	is_int(parses(s.buf, MT_OCI_MANIFEST), detail ? -1 : 0, "%s as config", title);
	str_reset(&s);
	str_addf(&s, IMAGE(",\"subject\":%s"), text);
	is_int(parses(s.buf, MT_OCI_MANIFEST), detail ? -1 : 0, "%s as subject", title);
	str_release(&s);
}

static void test_descriptor(void)
{
	descriptor("7", "", "a descriptor that is a number");
	descriptor("[]", "", "a descriptor that is a list");
	descriptor("{}", "mediaType is missing", "an empty descriptor");
	descriptor("{\"digest\":\"" DA "\",\"size\":1}", "mediaType is missing", "no mediaType");
	descriptor("{\"mediaType\":\"\",\"digest\":\"" DA "\",\"size\":1}", "mediaType is missing", "an empty mediaType");
	descriptor("{\"mediaType\":1,\"digest\":\"" DA "\",\"size\":1}", "mediaType is not a string", "mediaType 1");
	descriptor("{\"mediaType\":\"a/b\",\"size\":1}", "digest is missing", "no digest");
	descriptor("{\"mediaType\":\"a/b\",\"digest\":1,\"size\":1}", "digest is not", "a digest that is a number");
	descriptor("{\"mediaType\":\"a/b\",\"digest\":\"md5:00\",\"size\":1}", "digest is not", "a digest of md5");
	descriptor("{\"mediaType\":\"a/b\",\"digest\":\"" DA "a\",\"size\":1}", "digest is not", "a digest too long");
	descriptor("{\"mediaType\":\"a/b\",\"digest\":\"" DA "\"}", "size is missing", "no size");
	descriptor("{\"mediaType\":\"a/b\",\"digest\":\"" DA "\",\"size\":null}", "size is missing", "a size of null");
	descriptor(DESC("a/b", DA, ""), NULL, "a whole descriptor");
	descriptor(DESC("a/b", DA, ",\"urls\":null,\"annotations\":null,\"data\":null,\"artifactType\":null,"
			"\"platform\":null"), NULL, "fields of null");
	descriptor(DESC("a/b", DA, ",\"urls\":\"x\""), "urls is not a list of strings", "urls that are a string");
	descriptor(DESC("a/b", DA, ",\"urls\":[1]"), "urls is not a list of strings", "a URL that is a number");
	descriptor(DESC("a/b", DA, ",\"urls\":[null]"), "urls is not a list of strings", "a URL that is null");
	descriptor(DESC("a/b", DA, ",\"annotations\":\"x\""), "annotations is not an object", "annotations, a string");
	descriptor(DESC("a/b", DA, ",\"annotations\":{\"k\":true}"), "annotation \"k\" is not", "an annotation, true");
	descriptor(DESC("a/b", DA, ",\"artifactType\":[]"), "artifactType is not a string", "artifactType, a list");
	descriptor(DESC("a/b", DA, ",\"data\":{}"), "data is not a string of base64", "data that are an object");
	descriptor(DESC("a/b", DA, ",\"platform\":\"linux\""), "platform is not an object", "platform, a string");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"os\":1}"), ".platform: os is not a string", "an os, a number");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"architecture\":[]}"), "architecture is not", "architecture, a list");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"variant\":8}"), "variant is not a string", "variant, a number");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"os.version\":10.0}"), "os.version is not", "os.version, a number");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"os.features\":\"x\"}"), "os.features is not", "os.features, a string");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"features\":[{}]}"), "features is not", "a feature, an object");
	descriptor(DESC("a/b", DA, ",\"platform\":{}"), NULL, "an empty platform");
	descriptor(DESC("a/b", DA, ",\"platform\":{\"x\":1},\"y\":2"), NULL, "fields that are not defined");
	refuses(IMAGE(",\"layers\":[" DESC("a/b", DA, ",\"x\":1,\"x\":1") "]"), "the same key twice",
		"the same key twice in a descriptor");
}

static void test_sizes(void)
{
	static const struct { const char *size; int rc; } t[] = {
		{ "0", 0 }, { "-0", 0 }, { "9223372036854775807", 0 }, { "9223372036854775808", -1 },
		{ "18446744073709551615", -1 }, { "18446744073709551616", -1 }, { "99999999999999999999999", -1 },
		{ "-1", -1 }, { "2.5", -1 }, { "1.0", -1 }, { "1e3", -1 }, { "\"7\"", -1 }, { "true", -1 }, { "{}", -1 },
		{ "[7]", -1 }, { "null", -1 }, { "07", -1 }, { "NaN", -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct str s = STR_INIT;

		str_addf(&s, IMAGE(",\"layers\":[{\"mediaType\":\"a/b\",\"digest\":\"" DB "\",\"size\":%s}]"), t[i].size);
		is_int(parses(s.buf, MT_OCI_MANIFEST), t[i].rc, "a size of %s is %s", t[i].size, t[i].rc ? "refused" : "taken");
		str_release(&s);
	}
	refuses(IMAGE(",\"layers\":[" LAYER "," LAYER ",{\"mediaType\":\"a/b\",\"digest\":\"" DB "\",\"size\":-1}]"),
		"layers[2]: size is not an integer >= 0", "a size that is wrong, and the answer says where");
}

static void test_base64(void)
{
	static const struct { const char *data; int rc; } t[] = {
		{ "", 0 }, { "e30=", 0 }, { "YQ==", 0 }, { "YWJj", 0 }, { "+/+/", 0 }, { "YWJjZA==", 0 },
		{ "e30", -1 }, { "Y", -1 }, { "YQ=", -1 }, { "Y===", -1 }, { "====", -1 }, { "YQ==YQ==", -1 }, { "Y=Q=", -1 },
		{ "e3 =", -1 }, { "-_-_", -1 }, { "YWJj\\n", -1 }, { "YW\\u0000=", -1 }, { "YWJ\xc3\xa9", -1 },
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(t); i++) {
		struct str s = STR_INIT;

		str_addf(&s, IMAGE(",\"layers\":[" DESC("a/b", DB, ",\"data\":\"%s\"") "]"), t[i].data);
		is_int(parses(s.buf, MT_OCI_MANIFEST), t[i].rc, "data %zu are %s", i, t[i].rc ? "no base64" : "base64");
		str_release(&s);
	}
}

static void test_case(void)
{
	static const char *const top[] = {
		"SchemaVersion", "mediatype", "ArtifactType", "Config", "Layers", "LAYERS", "MANIFESTS", "Subject", "Annotations",
		"layer\xc5\xbf", "\xc5\xbfubject", "LAYER\\u017f",
	};
	static const char *const inside[] = {
		"mediatype", "MediaType", "Digest", "Size", "SIZE", "Urls", "URLs", "Annotations", "Data", "artifacttype", "Platform",
		"\xc5\xbfize",
	};
	static const char *const platform[] = { "Architecture", "OS", "Os.Version", "OS.features", "Variant", "Features" };
	struct str s = STR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(top); i++) {
		str_reset(&s);
		str_addf(&s, IMAGE(",\"%s\":null"), top[i]);
		refuses(s.buf, "only in case", top[i]);
	}
	for (i = 0; i < ARRAY_LEN(inside); i++) {
		str_reset(&s);
		str_addf(&s, IMAGE(",\"layers\":[" DESC("a/b", DB, ",\"%s\":null") "]"), inside[i]);
		refuses(s.buf, "layers[0]: key", inside[i]);
	}
	for (i = 0; i < ARRAY_LEN(platform); i++) {
		str_reset(&s);
		str_addf(&s, INDEX("[" DESC(MT_OCI_MANIFEST, DB, ",\"platform\":{\"%s\":\"x\"}") "]", ""), platform[i]);
		refuses(s.buf, "manifests[0].platform: key", platform[i]);
	}
	takes(IMAGE(",\"layer\":1,\"layerss\":1,\"Digest\":1,\"OS\":1,\"laye\xc3\xa9s\":1"),
	      "keys that are near, or defined at another level");
	str_release(&s);
}

static void test_optional(void)
{
	static const char s[] = IMAGE(",\"layers\":["
		DESC("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", DA, "") ","
		DESC("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", DB, "") ","
		DESC(LAYER_TYPE, DB, ",\"urls\":[\"http://x\"]") "," DESC(LAYER_TYPE, DB, ",\"urls\":[]") "," LAYER "]");
	static const char config[] = "{\"schemaVersion\":2,\"config\":" DESC(CONFIG_TYPE, DA, ",\"urls\":[\"http://x\"]") "}";
	struct manifest m;

	if (parse_n(&m, s, strlen(s), MT_OCI_MANIFEST) == 0) {
		ok(m.refs[1].optional && m.refs[2].optional, "layers of non-distributable types need not be here");
		ok(m.refs[3].optional, "nor need one with urls");
		ok(!m.refs[4].optional, "one with an empty list of urls must");
		ok(!m.refs[5].optional && !m.refs[0].optional, "so must ordinary layers and the config");
		manifest_release(&m);
	}
	if (parse_n(&m, config, strlen(config), MT_OCI_MANIFEST) == 0) {
		ok(!m.refs[0].optional, "a config with urls must be here");
		manifest_release(&m);
	}
}

static void test_limits(void)
{
	struct str s = STR_INIT;
	struct manifest m;
	int n, i, rc;

	for (n = 32; n <= 33; n++) {
		str_reset(&s);
		str_puts(&s, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"x\":");
		for (i = 1; i < n; i++)
			str_addc(&s, '[');
		for (i = 1; i < n; i++)
			str_addc(&s, ']');
		str_addc(&s, '}');
		is_int(parses(s.buf, MT_OCI_MANIFEST), n == 32 ? 0 : -1, "nesting of %d is %s", n, n == 32 ? "taken" : "refused");
	}
	str_reset(&s);
	str_puts(&s, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"x\":[");
	for (i = 0; i < 1000000; i++)
		str_puts(&s, i ? ",{}" : "{}");
	str_puts(&s, "]}");
	is_int(parses(s.buf, MT_OCI_MANIFEST), 0, "a million values that no type defines are taken");
	str_reset(&s);
	str_puts(&s, "{\"schemaVersion\":2,\"config\":" CONFIG ",\"layers\":[");
	for (i = 0; i < 12000; i++)
		str_puts(&s, i ? "," LAYER : LAYER);
	str_puts(&s, "]}");
	rc = parse_n(&m, s.buf, s.len, MT_OCI_MANIFEST);
	ok(rc == 0 && m.nrefs == 12001, "twelve thousand layers are read");
	manifest_release(&m);
	for (i = 0; i < (int)sizeof(IMAGE("")) - 1; i++) {
		if (parse_n(&m, IMAGE(""), (size_t)i, MT_OCI_MANIFEST) != -1)
			break;
	}
	is_int(i, sizeof(IMAGE("")) - 1, "a manifest that breaks off is refused, wherever that is");
	str_release(&s);
}

int main(void)
{
	test_image();
	test_index();
	test_types();
	test_shape();
	test_descriptor();
	test_sizes();
	test_base64();
	test_case();
	test_optional();
	test_limits();
	err_release(&e);
	return done_testing();
}
