/* SPDX-License-Identifier: Apache-2.0 */
/* manifest_scan: what stored bytes are served as, what they name, and how they are listed as a referrer. */

#include "base/mem.h"
#include "base/str.h"
#include "registry/manifest_scan.h"
#include "tap.h"

#define D(c) "sha256:" c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c c \
	c c c c c c c c c c c c c c
#define DA D("a")
#define DB D("b")
#define DC D("c")
#define DD D("d")
#define D512 "sha512:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" \
	"eeeeeeeeeeeeeeeeeeeeeeeeeeee"
#define DESC(d) "{\"mediaType\":\"x/y\",\"size\":1,\"digest\":\"" d "\"}"
#define D0 "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUBJECT "\"subject\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D0 "\",\"size\":1}"

#define IMAGE(rest) "{\"schemaVersion\":2,\"config\":" DESC(DA) rest "}"
#define INDEX(children, rest) "{\"schemaVersion\":2,\"manifests\":" children rest "}"
#define INNER(type) ",\"mediaType\":\"" type "\""

static struct str out = STR_INIT;
static struct manifest m = MANIFEST_INIT;

static void served(const char *s, const char *want, const char *title)
{
	struct str type = STR_INIT;

	manifest_scan_type(&type, s, strlen(s));
	is_str(type.buf, want, "served as: %s", title);
	str_release(&type);
}

static void test_type(void)
{
	struct str s = STR_INIT;

	served(IMAGE(INNER(MT_DOCKER_MANIFEST)), MT_DOCKER_MANIFEST, "the mediaType inside");
	served(INDEX("[]", INNER(MT_DOCKER_LIST)), MT_DOCKER_LIST, "the mediaType of a list");
	served("{\"mediaType\":\"application\\/vnd.docker.distribution.manifest.v2+json\"}", MT_DOCKER_MANIFEST,
	       "a mediaType written with escapes");
	served("{\"media\\u0054ype\":\"" MT_DOCKER_LIST "\"}", MT_DOCKER_LIST, "a key written with escapes");
	served("{\"mediaType\":\"application/x.y-z+w!#$&^_\"}", "application/x.y-z+w!#$&^_", "any other type that is one");
	served(IMAGE(""), MT_OCI_MANIFEST, "an image without mediaType");
	served(INDEX("[]", ""), MT_OCI_INDEX, "an index without mediaType");
	served(INDEX("null", ""), MT_OCI_MANIFEST, "manifests that are null");
	served(INDEX("[]", ",\"mediaType\":null"), MT_OCI_INDEX, "a mediaType of null");
	served("{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[]}", MT_DOCKER_SCHEMA1_SIGNED, "schema 1");
	served("{\"schemaVersion\":12}", MT_OCI_MANIFEST, "a schema that begins with 1");
	served("{\"schemaVersion\":\"1\"}", MT_OCI_MANIFEST, "a schemaVersion that is a string");
	served("{\"schemaVersion\":1" INNER(MT_DOCKER_SCHEMA1) "}", MT_DOCKER_SCHEMA1, "schema 1 with its type");
	served("{\"a\":{\"mediaType\":\"" MT_DOCKER_LIST "\"}}", MT_OCI_MANIFEST, "a mediaType further down");
	served("", MT_OCI_MANIFEST, "nothing");
	served("junk", MT_OCI_MANIFEST, "what is no JSON");
	served("{\"manifests\":[1,", MT_OCI_MANIFEST, "what breaks off");
	served(IMAGE(",\"mediaType\":\"a/b\\r\\nX-Evil: 1\""), MT_OCI_MANIFEST, "a mediaType with a line break");
	served(IMAGE(",\"mediaType\":\"a/b\nX: 1\""), MT_OCI_MANIFEST, "one with a raw line break");
	served(IMAGE(",\"mediaType\":\"a/b c\""), MT_OCI_MANIFEST, "one with a blank");
	served(IMAGE(",\"mediaType\":\"a/b;c=d\""), MT_OCI_MANIFEST, "one with a parameter");
	served(IMAGE(",\"mediaType\":\"a/b\\u0000\""), MT_OCI_MANIFEST, "one with a NUL");
	served(IMAGE(",\"mediaType\":\"a/\xc3\xa9\""), MT_OCI_MANIFEST, "one that is not ASCII");
	served(IMAGE(",\"mediaType\":\"a\""), MT_OCI_MANIFEST, "one without a slash");
	served(IMAGE(",\"mediaType\":\"a/b/c\""), MT_OCI_MANIFEST, "one with two slashes");
	served(IMAGE(",\"mediaType\":\"/b\""), MT_OCI_MANIFEST, "one without a type");
	served(IMAGE(",\"mediaType\":\"a/\""), MT_OCI_MANIFEST, "one without a subtype");
	served(IMAGE(",\"mediaType\":\"a/.b\""), MT_OCI_MANIFEST, "one that begins with a dot");
	str_addf(&s, "{\"mediaType\":\"a/%0127d\"}", 1);
	{
		struct str type = STR_INIT;

		manifest_scan_type(&type, s.buf, s.len);
		is_int(type.len, 129, "served as: a subtype of 127 bytes");
		str_release(&type);
	}
	str_reset(&s);
	str_addf(&s, "{\"mediaType\":\"a/%0128d\"}", 1);
	served(s.buf, MT_OCI_MANIFEST, "a subtype of 128 bytes");
	str_release(&s);
}

static int referrer(const char *text)
{
	struct digest d, subject;
	int rc;

	digest_parse(&d, D0, strlen(D0));
	str_reset(&out);
	rc = manifest_scan_referrer(text, strlen(text), &d, &subject, &out);
	if (rc == 1 && !digest_eq(&d, &subject))
		return -1;
	return rc;
}

static void test_referrer(void)
{
	static const char *const nothing[] = {
		"", "{}", "[]", "nothing", "{\"subject\":null}", "{\"subject\":1}", "{\"subject\":{}}", "{\"subject\":{\"digest\":1}}",
		"{\"subject\":{\"digest\":\"sha256:00\"}}", "{" SUBJECT "," SUBJECT "}", "{" SUBJECT, "{\"Subject\":{\"digest\":\"" D0 "\"}}",
	};
	size_t i;

	for (i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		is_int(referrer(nothing[i]), 0, "%s names no subject", nothing[i]);
	is_int(referrer("{" SUBJECT "}"), 1, "a manifest names its subject");
	is_str(out.buf, "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D0 "\",\"size\":162}",
	       "its descriptor has type, digest and size");
	referrer("{\"artifactType\":\"a/b\",\"config\":{\"mediaType\":\"c/d\"}," SUBJECT "}");
	ok(strstr(out.buf, "\"artifactType\":\"a/b\""), "its artifact type is its own");
	referrer("{\"artifactType\":\"\",\"config\":{\"mediaType\":\"c/d\"}," SUBJECT "}");
	ok(strstr(out.buf, "\"artifactType\":\"c/d\""), "where that is empty, its config's");
	referrer("{\"manifests\":[]," SUBJECT "}");
	ok(strstr(out.buf, "image.index") && !strstr(out.buf, "artifactType"), "an index without one has none");
	referrer("{\"annotations\":{\"a\":\"b\\n\",\"c\":null,\"d\":\"\\u00e4\"}," SUBJECT "}");
	ok(strstr(out.buf, ",\"annotations\":{\"a\":\"b\\n\",\"d\":\"\xc3\xa4\"}}"), "annotations go along, those that are strings");
	referrer("{\"artifactType\":\"\x7f\",\"annotations\":{\"\x7f\":\"\x7f\x7f\"}," SUBJECT "}");
	ok(strstr(out.buf, ",\"artifactType\":\"\x7f\",\"annotations\":{\"\x7f\":\"\x7f\x7f\"}}"), "no text gets longer on the way");
	referrer("{\"annotations\":{}," SUBJECT "}");
	ok(!strstr(out.buf, "annotations"), "none where there are none");
	str_release(&out);
}

static int scan(const char *text)
{
	manifest_release(&m);
	return manifest_scan_descriptors(&m, text, strlen(text));
}

static void test_descriptors(void)
{
	is_int(scan("{\"config\":{\"mediaType\":\"x\",\"digest\":\"" DA "\",\"size\":7},\"layers\":["
			 "{\"mediaType\":\"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip\",\"digest\":\"" DB "\",\"size\":8},"
			 "{\"mediaType\":\"y\",\"digest\":\"" DC "\",\"urls\":[\"http://x\"]},"
			 "{\"mediaType\":\"y\",\"digest\":\"" DC "\",\"size\":2.5,\"urls\":[]}],"
			 "\"subject\":{\"digest\":\"" DA "\"}}"), 1, "an image is read");
	is_int(m.nrefs, 4, "config and layers are its references, the subject is none");
	ok(m.has_subject && strcmp(m.subject.text, DA) == 0, "the subject is told apart");
	if (m.nrefs != 4)
		return;
	ok(m.refs[0].kind == MREF_CONFIG && m.refs[0].size == 7 && !m.refs[0].optional,
	   "the config has to be there");
	ok(m.refs[1].optional && m.refs[2].optional, "a foreign layer and one with urls need not");
	ok(!m.refs[3].optional && m.refs[3].size == DESCRIPTOR_NO_SIZE, "an empty list of urls is none, and a size that is no integer says nothing");
}

static void test_descriptors_of_others(void)
{
	is_int(scan("{\"manifests\":[{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" DA "\"},"
			 "{\"mediaType\":\"application/octet-stream\",\"digest\":\"" DB "\"},{\"digest\":\"md5:x\"},7]}"), 1,
	       "an index is read");
	ok(m.nrefs == 2 && m.refs[0].kind == MREF_CHILD_MANIFEST && m.refs[1].kind == MREF_CHILD_BLOB,
	   "its manifests are told from its blobs; what names no digest is passed over");
	ok(scan("{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":\"" DA "\"}]}") == 1 && m.nrefs == 1 &&
	   m.refs[0].kind == MREF_LAYER, "schema 1 names layers");
	is_int(scan("{}"), 1, "an object that names nothing is read");
	is_int(scan("[]"), 0, "a list is no manifest");
	is_int(scan("{\"a\":1"), 0, "nor is half an object");
	is_int(scan(""), 0, "nor is nothing");
	manifest_release(&m);
}

static int names(const struct references *r, const char *text)
{
	size_t i;
	int n = 0;

	for (i = 0; i < r->count; i++)
		n += strcmp(r->v[i].text, text) == 0;
	return n;
}

static void read_ok(struct references *r, const char *json)
{
	ok(manifest_scan_references(r, json, strlen(json)) == 1, "a manifest of %zu bytes is read", strlen(json));
}

static void test_image(void)
{
	cleanup_references struct references r = REFERENCES_INIT;

	read_ok(&r, "{\"schemaVersion\":2,\"config\":" DESC(DA) ",\"layers\":[" DESC(DB) "," DESC(D512) "],\"subject\":" DESC(DC) "}");
	is_int(r.count, 3, "an image names its config and its layers");
	ok(names(&r, DA) && names(&r, DB) && names(&r, D512), "of both algorithms");
	ok(r.has_subject && strcmp(r.subject.text, DC) == 0, "its subject is told apart");
	ok(!names(&r, DC), "and is not among what it needs");
}

static void test_index(void)
{
	cleanup_references struct references r = REFERENCES_INIT;

	read_ok(&r, "{\"schemaVersion\":2,\"layers\":[" DESC(DC) "],\"config\":" DESC(DD) ",\"manifests\":[" DESC(DA) "," DESC(DB) "]}");
	ok(r.count == 4 && names(&r, DA) && names(&r, DB), "an index names its children");
	ok(names(&r, DC) && names(&r, DD), "and what it names besides is found, too");
}

static void test_schema1(void)
{
	cleanup_references struct references r = REFERENCES_INIT;

	read_ok(&r, "{\n   \"schemaVersion\": 1,\n   \"name\": \"a/b\",\n   \"tag\": \"t\",\n   \"fsLayers\": [\n      {\n         \"blobSum\": \"" DA
		    "\"\n      },\n      {\n         \"blobSum\": \"" DB "\"\n      }\n   ],\n   \"history\": [{\"v1Compatibility\": \"{}\"}],\n"
		    "   \"signatures\": [{\"header\": {\"alg\": \"ES256\"}, \"signature\": \"x\", \"protected\": \"y\"}]\n}");
	ok(r.count == 2 && names(&r, DA) && names(&r, DB), "a manifest of schema 1 names its fsLayers");
}

/* Go takes "Layers" for "layers": registries before us stored such, and clients that are written in Go pull them. */
static void test_case(void)
{
	static const char *const texts[] = {
		"{\"Config\":" DESC(DA) ",\"LAYERS\":[" DESC(DB) "]}",
		"{\"config\":{\"Digest\":\"" DA "\"},\"layers\":[{\"DIGEST\":\"" DB "\"}]}",
		"{\"Manifests\":[" DESC(DA) "," DESC(DB) "]}",
		"{\"FSLayers\":[{\"blobsum\":\"" DA "\"},{\"BlobSum\":\"" DB "\"}]}",
		"{\"layers\":[" DESC(DA) "],\"Layers\":[" DESC(DB) "]}",
		"{\"Layers\":[" DESC(DA) "],\"layers\":[" DESC(DB) "]}",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_references struct references r = REFERENCES_INIT;

		ok(manifest_scan_references(&r, texts[i], strlen(texts[i])) == 0 || (names(&r, DA) && names(&r, DB)),
		   "what keys name that differ from the defined ones in case is found, or nothing is said to be known (%zu)", i);
	}
}

static void test_tolerance(void)
{
	static const char *const texts[] = {
		"{\"config\":null,\"layers\":[" DESC(DA) "]}",
		"{\"config\":[],\"layers\":[" DESC(DA) "]}",
		"{\"config\":\"x\",\"layers\":[1,null,\"y\",[],{},{\"digest\":7},{\"digest\":\"md5:1\"}," DESC(DA) "]}",
		"{\"layers\":[{\"digest\":\"" DA "\",\"size\":2.5,\"urls\":\"x\",\"annotations\":{\"a\":1}}]}",
		"{\"schemaVersion\":\"two\",\"mediaType\":7,\"layers\":[" DESC(DA) "],\"manifests\":{}}",
		"{\"layers\":[" DESC(DA) "],\"subject\":\"x\"}",
		"{\"layers\":[" DESC(DA) "],\"subject\":{\"digest\":\"x\"}}",
	};
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_references struct references r = REFERENCES_INIT;

		ok(manifest_scan_references(&r, texts[i], strlen(texts[i])) == 1 && r.count == 1 && names(&r, DA) && !r.has_subject,
		   "what is broken beside it hides no reference (%zu)", i);
	}
}

/* A text without a backslash is read without a tree, one with a backslash has to have one. */
static void test_both_ways(void)
{
	static const char *const texts[] = {
		"\"config\":" DESC(DA) ",\"layers\":[" DESC(DB) "," DESC(DA) "]",
		"\"" DA "\":1,\"" DB "\" : [\"" DA "\"],\"x\":{\"" DA "\" \n:{}}",
		"\"annotations\":{\"a\":\"" DB "\",\"b\":\"x" DA "\",\"c\":\"\",\"d\":\" " DA "\"}",
		"\"a\":[[[\"" DA "\"],\"" DB "\"],null,\":\",\"" DA "\"]",
	};
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_references struct references plain = REFERENCES_INIT, tree = REFERENCES_INIT;
		cleanup_str struct str text = STR_INIT;
		bool same;

		str_addf(&text, " {%s}", texts[i]);
		read_ok(&plain, text.buf);
		str_reset(&text);
		str_addf(&text, " {%s,\"\\n\":\"\"}", texts[i]);
		read_ok(&tree, text.buf);
		same = plain.count > 0 && plain.count == tree.count;
		for (j = 0; same && j < plain.count; j++)
			same = digest_eq(&plain.v[j], &tree.v[j]);
		ok(same, "a text names the same, however it is read (%zu)", i);
	}
}

static void test_unknown(void)
{
	static const char *const texts[] = { "", "{", "[]", "null", "7", "\"" DA "\"", "{}x", "layers", "\x1f\x8b\x08" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(texts); i++) {
		cleanup_references struct references r = REFERENCES_INIT;

		ok(manifest_scan_references(&r, texts[i], strlen(texts[i])) == 0 && r.count == 0 && !r.has_subject,
		   "of what is no JSON object nothing is known (%zu)", i);
	}
}

static void test_empty(void)
{
	cleanup_references struct references r = REFERENCES_INIT;

	read_ok(&r, "{}");
	is_int(r.count, 0, "an object without references names nothing");
	references_release(&r);
	references_release(&r);
	ok(!r.v && !r.count, "references may be released twice");
}

int main(void)
{
	test_type();
	test_referrer();
	test_descriptors();
	test_descriptors_of_others();
	test_image();
	test_index();
	test_schema1();
	test_case();
	test_tolerance();
	test_both_ways();
	test_unknown();
	test_empty();
	return done_testing();
}
