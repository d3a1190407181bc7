/* SPDX-License-Identifier: Apache-2.0 */
/* references: whatever a stored manifest names is found, and what is no manifest is told apart. */

#include "base/mem.h"
#include "base/str.h"
#include "registry/references.h"
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
	ok(references_read(r, json, strlen(json)) == 1, "a manifest of %zu bytes is read", strlen(json));
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

		ok(references_read(&r, texts[i], strlen(texts[i])) == 0 || (names(&r, DA) && names(&r, DB)),
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

		ok(references_read(&r, texts[i], strlen(texts[i])) == 1 && r.count == 1 && names(&r, DA) && !r.has_subject,
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

		ok(references_read(&r, texts[i], strlen(texts[i])) == 0 && r.count == 0 && !r.has_subject,
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
