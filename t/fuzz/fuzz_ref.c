/* SPDX-License-Identifier: Apache-2.0 */
/* Names, tags, digests, upload ids and references, against the grammars of doc/API.md as regular expressions. */

#include "fuzz.h"

#include <regex.h>

#include "base/digest.h"
#include "base/ref.h"
#include "store/store_path.h"

#define COMPONENT "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"
#define HEX4 "[0-9a-f][0-9a-f][0-9a-f][0-9a-f]"
#define HEX16 HEX4 HEX4 HEX4 HEX4
#define HEX64 HEX16 HEX16 HEX16 HEX16
#define OTHER_UUID "01234567-89ab-4cde-8f01-23456789abcd"

static regex_t name_re, component_re, tag_re, digest_re, uuid_re;

static void compile(void)
{
	static bool done;

	if (done)
		return;
	CHECK(!regcomp(&name_re, "^" COMPONENT "(/" COMPONENT ")*$", REG_EXTENDED | REG_NOSUB));
	CHECK(!regcomp(&component_re, "^" COMPONENT "$", REG_EXTENDED | REG_NOSUB));
	CHECK(!regcomp(&tag_re, "^[A-Za-z0-9_][A-Za-z0-9._-]*$", REG_EXTENDED | REG_NOSUB));
	CHECK(!regcomp(&digest_re, "^(sha256:" HEX64 "|sha512:" HEX64 HEX64 ")$", REG_EXTENDED | REG_NOSUB));
	CHECK(!regcomp(&uuid_re, "^" HEX4 HEX4 "-" HEX4 "-" HEX4 "-" HEX4 "-" HEX4 HEX4 HEX4 "$",
		       REG_EXTENDED | REG_NOSUB));
	done = true;
}

/* Whether the grammar accepts the input, which is NUL-terminated. */
static bool expected(const regex_t *re, const char *text, size_t len, size_t max)
{
	return len <= max && strlen(text) == len && regexec(re, text, 0, NULL, 0) == 0;
}

/* A path that is built from an accepted name does not leave its directory. */
static void check_path(const struct str *p)
{
	CHECK(strlen(p->buf) == p->len && p->buf[0] != '/');
	CHECK(!strstr(p->buf, "//") && !strstr(p->buf, "/../") && !strstr(p->buf, "/./"));
}

static void check_name(const char *s, const char *text, size_t len)
{
	cleanup_str struct str p = STR_INIT;
	struct name n;
	struct uuid u;
	bool ok = name_parse(&n, s, len) == 0;

	CHECK(ok == expected(&name_re, text, len, NAME_MAX_LEN));
	CHECK(n.len == (ok ? len : 0) && n.s[n.len] == '\0' && memcmp(n.s, s, n.len) == 0);
	CHECK((name_component_ok(s, len) != 0) == expected(&component_re, text, len, len));
	if (!ok)
		return;
	path_repository(&p, &n);
	check_path(&p);
	CHECK(!strstr(p.buf, "/_"));
	CHECK(uuid_parse(&u, OTHER_UUID, strlen(OTHER_UUID)) == 0);
	path_upload(&p, &n, &u);
	check_path(&p);
	path_index_file(&p, &n, "_tags");
	check_path(&p);
}

static void check_tag(const char *s, const char *text, size_t len)
{
	cleanup_str struct str p = STR_INIT;
	struct name n;
	struct tag t;
	bool ok = tag_parse(&t, s, len) == 0;

	CHECK(ok == expected(&tag_re, text, len, TAG_MAX_LEN));
	CHECK(t.len == (ok ? len : 0) && t.s[t.len] == '\0' && memcmp(t.s, s, t.len) == 0);
	if (!ok)
		return;
	CHECK(name_parse(&n, "a/b", 3) == 0);
	path_tag(&p, &n, &t);
	check_path(&p);
}

static void check_digest(const char *s, const char *text, size_t len)
{
	cleanup_str struct str p = STR_INIT;
	struct digest d, again;
	bool ok = digest_parse(&d, s, len) == 0;

	CHECK(ok == expected(&digest_re, text, len, DIGEST_TEXT_MAX));
	if (!ok) {
		CHECK(d.text[0] == '\0');
		return;
	}
	CHECK(strlen(d.text) == len && memcmp(d.text, s, len) == 0);
	CHECK(strlen(digest_hex(&d)) == (d.alg == DIGEST_SHA512 ? 128 : 64));
	CHECK(digest_parse(&again, d.text, len) == 0 && digest_eq(&d, &again) && again.alg == d.alg);
	path_blob(&p, &d);
	check_path(&p);
}

static void check_uuid(const char *s, const char *text, size_t len)
{
	unsigned char random[16] = { 0 };
	struct uuid u, again;
	bool ok = uuid_parse(&u, s, len) == 0;

	CHECK(ok == expected(&uuid_re, text, len, UUID_LEN));
	CHECK(strlen(u.s) == (ok ? len : 0) && memcmp(u.s, s, strlen(u.s)) == 0);
	memcpy(random, s, len < sizeof(random) ? len : sizeof(random));
	uuid_from_random(&u, random);
	CHECK(uuid_parse(&again, u.s, strlen(u.s)) == 0 && strcmp(again.s, u.s) == 0);
}

static void check_ref(const char *s, const char *text, size_t len)
{
	bool colon = len && memchr(s, ':', len);
	enum ref_kind meant = REF_TAG;
	struct ref r;
	bool ok = ref_parse(&r, s, len, &meant) == 0;

	CHECK(meant == (colon ? REF_DIGEST : REF_TAG));
	CHECK(ok == (colon ? expected(&digest_re, text, len, DIGEST_TEXT_MAX) : expected(&tag_re, text, len, TAG_MAX_LEN)));
	if (ok)
		CHECK(r.kind == meant && strcmp(ref_text(&r), text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;
	char *text;

	if (size > 4096)
		return 0;
	compile();
	text = malloc(size + 1);
	CHECK(text);
	if (size)
		memcpy(text, s, size);
	text[size] = '\0';
	if (!size)
		s = text;
	check_name(s, text, size);
	check_tag(s, text, size);
	check_digest(s, text, size);
	check_uuid(s, text, size);
	check_ref(s, text, size);
	free(text);
	return 0;
}
