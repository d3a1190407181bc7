/* SPDX-License-Identifier: Apache-2.0 */
/* ref: names, tags, upload ids and references. */

#include "base/mem.h"
#include "base/ref.h"
#include "tap.h"

static void names(void)
{
	static const char *const good[] = {
		"a", "0", "busybox", "team/app", "a/b/c/d/e/f", "a.b", "a_b", "a__b", "a-b", "a--b", "a-----b", "a1.b2_c3__d4-e5",
		"blobs", "manifests/list", "a/tags/manifests", "uploads/referrers", "v2",
	};
	static const char *const bad[] = {
		"", "/", "a/", "/a", "a//b", ".", "..", "a/..", "../a", "a/./b", "A", "aB", "a..b", "a___b", "a._b", "a.-b",
		"a_-b", "a-_b", "-a", "a-", ".a", "a.", "_a", "a_", "__a", "a__", "a/_b", "a/-b", "a b", "a%b", "a:b", "a@b",
		"_catalog", "\xc3\xa9", "a\nb", "a\n", "a\\b", "_uploads/x",
	};
	char text[NAME_MAX_LEN + 2];
	struct name n;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		ok(name_parse(&n, good[i], strlen(good[i])) == 0 && strcmp(n.s, good[i]) == 0 && n.len == strlen(good[i]),
		   "\"%s\" is a name", good[i]);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(name_parse(&n, bad[i], strlen(bad[i])) < 0 && !n.len && !*n.s, "name %zu of the bad ones is refused", i);
	ok(name_parse(&n, "a\0b", 3) < 0, "a name with a NUL is refused");
	memset(text, 'a', sizeof(text));
	ok(name_parse(&n, text, 255) == 0 && n.len == 255 && n.s[255] == '\0', "a name of 255 bytes is accepted");
	ok(name_parse(&n, text, 256) < 0, "a name of 256 bytes is refused");
	for (i = 1; i < 255; i += 2)
		text[i] = '/';
	ok(name_parse(&n, text, 255) == 0, "a name of 128 components is accepted");
	ok(name_component_ok("a-b", 3) && !name_component_ok("a/b", 3) && !name_component_ok("", 0) &&
	   !name_component_ok("_x", 2), "a component has no slash and is not empty");
}

static void tags(void)
{
	static const char *const bad[] = {
		"", ".", "..", ".a", "-a", "a/b", "a:b", "a b", "a+b", "a@b", "\xc3\xa9", "a\n", "../x",
	};
	char text[TAG_MAX_LEN + 1];
	struct tag t;
	size_t i;
	int c, wrong = 0;

	for (c = 0; c < 256; c++) {
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
		char first[1] = { (char)c }, second[2] = { 'a', (char)c };

		wrong += (tag_parse(&t, first, 1) == 0) != word;
		wrong += (tag_parse(&t, second, 2) == 0) != (word || c == '.' || c == '-');
	}
	is_int(wrong, 0, "of all bytes a tag begins with a word's, and goes on with these, dots and dashes");
	ok(tag_parse(&t, "1.0-RC_2", 8) == 0 && t.len == 8 && strcmp(t.s, "1.0-RC_2") == 0, "a tag is accepted unchanged");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(tag_parse(&t, bad[i], strlen(bad[i])) < 0 && !t.len && !*t.s, "tag %zu of the bad ones is refused", i);
	memset(text, 'x', sizeof(text));
	ok(tag_parse(&t, text, 128) == 0 && t.s[128] == '\0', "a tag of 128 bytes is accepted");
	ok(tag_parse(&t, text, 129) < 0, "a tag of 129 bytes is refused");
}

static void uuids(void)
{
	static const char good[] = "01234567-89ab-4cde-8f01-23456789abcd";
	static const char *const bad[] = {
		"", "01234567-89ab-4cde-8f01-23456789abc", "01234567-89ab-4cde-8f01-23456789abcde",
		"01234567-89AB-4cde-8f01-23456789abcd", "0123456-789ab-4cde-8f01-23456789abcd",
		"0123456789ab4cde8f0123456789abcd----", "01234567-89ab-4cde-8f01-23456789abcg",
		"01234567/89ab-4cde-8f01-23456789abcd", "{1234567-89ab-4cde-8f01-23456789abc}",
		"..------------------------------------",
	};
	unsigned char ones[16], zeros[16] = { 0 };
	struct uuid u;
	size_t i;

	ok(uuid_parse(&u, good, strlen(good)) == 0 && strcmp(u.s, good) == 0, "a UUID is accepted");
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(uuid_parse(&u, bad[i], strlen(bad[i])) < 0 && !*u.s, "UUID %zu of the bad ones is refused", i);
	uuid_from_random(&u, zeros);
	is_str(u.s, "00000000-0000-4000-8000-000000000000", "a UUID of zeros has version 4 and its variant");
	memset(ones, 0xff, sizeof(ones));
	uuid_from_random(&u, ones);
	is_str(u.s, "ffffffff-ffff-4fff-bfff-ffffffffffff", "so has one of ones");
}

static void refs(void)
{
	static const char digest[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
	enum ref_kind meant;
	struct ref r;

	ok(ref_parse(&r, "latest", 6, &meant) == 0 && r.kind == REF_TAG && meant == REF_TAG, "a tag is a reference");
	is_str(ref_text(&r), "latest", "its text is the tag");
	ok(ref_parse(&r, digest, strlen(digest), &meant) == 0 && r.kind == REF_DIGEST && meant == REF_DIGEST,
	   "a digest is a reference");
	is_str(ref_text(&r), digest, "its text is the digest");
	ok(ref_parse(&r, "sha256:x", 8, &meant) < 0 && meant == REF_DIGEST, "a text with a colon was meant as a digest");
	ok(ref_parse(&r, "-x", 2, &meant) < 0 && meant == REF_TAG, "a text without one was meant as a tag");
	ok(ref_parse(&r, "", 0, &meant) < 0 && meant == REF_TAG, "so was nothing");
	ok(ref_parse(&r, "x", 1, NULL) == 0, "meant may be NULL");
}

int main(void)
{
	names();
	tags();
	uuids();
	refs();
	return done_testing();
}
