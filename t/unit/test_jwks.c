/* SPDX-License-Identifier: Apache-2.0 */
/* jwks: sets of keys from text, files and directories, and finding keys by name. */

#include "jose/jwks.h"

#include "auth_keys.h"
#include "tap.h"

#define ED "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define ED_THUMB "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
#define EC "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"m7zUpx3b-zmVE5cymSs64POG9QcyEpJaYCD82-549_Q\"," \
	"\"y\":\"dU3biz8sZ_8GPB-odm8Wxz3lNDr1xcAQQPQaOcr1fmc\""
#define EC_LIBTRUST "PYYO:TEWU:V7JH:26JV:AQTZ:LJC3:SXVJ:XGHA:34F2:2LAQ:ZRMK:Z7Q6"

static int add_text(struct jwks *set, const char *text, struct err *e)
{
	return jwks_add_text(set, "keys", text, strlen(text), false, e);
}

static const struct key *find(const struct jwks *set, const char *kid, enum key_alg alg, bool *named)
{
	return jwks_find(set, kid, strlen(kid), alg, named);
}

static void test_names(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_err struct err e = ERR_INIT;
	bool named;

	ok(add_text(&set, "{\"keys\":[{" ED ",\"kid\":\"one\"},{" EC "}]}", &e) == 0 && set.count == 2, "a JWK Set of two keys is read");
	ok(find(&set, "one", KEY_EDDSA, &named) == set.v[0].key, "the name that a key gives itself finds it");
	ok(find(&set, ED_THUMB, KEY_EDDSA, &named) == set.v[0].key, "so does its thumbprint");
	ok(find(&set, EC_LIBTRUST, KEY_ES256, &named) == set.v[1].key, "so does libtrust's name");
	ok(!find(&set, "one", KEY_ES256, &named) && named, "not for an algorithm of another type, but the name is known");
	ok(!find(&set, "on", KEY_EDDSA, &named) && !named, "a part of a name is none");
	ok(!jwks_find(&set, "one\0x", 5, KEY_EDDSA, &named) && !named, "nor is one with more behind NUL");
	ok(!jwks_find(&set, "", 0, KEY_EDDSA, &named) && !named, "the empty name finds nothing");
	ok(!set.roots && !set.skipped.count, "nothing was left out, and there are no roots");
}

static void test_one_name_two_keys(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	bool named;

	ok(add_text(&set, "{\"keys\":[{" ED ",\"kid\":\"k\"},{" EC ",\"kid\":\"k\"}]}", NULL) == 0, "two keys may have one name");
	ok(find(&set, "k", KEY_EDDSA, &named) == set.v[0].key && find(&set, "k", KEY_ES256, &named) == set.v[1].key,
	   "the algorithm tells them apart");
}

static void test_alg(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_key struct key *rsa = test_key(rsa_pem);
	cleanup_str struct str text = STR_INIT;
	bool named;

	key_add_jwk(rsa, &text);
	text.len--;
	str_puts(&text, ",\"alg\":\"RS256\"}");
	ok(add_text(&set, text.buf, NULL) == 0 && set.count == 1, "a file may be one JWK");
	ok(find(&set, key_thumbprint(rsa), KEY_RS256, &named), "a JWK that names its algorithm is for it");
	ok(!find(&set, key_thumbprint(rsa), KEY_PS256, &named) && named, "and for no other of the same type");
}

static void test_skipped(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_err struct err e = ERR_INIT;

	ok(add_text(&set, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"},{" ED "},7,{" EC ",\"alg\":\"RS256\"},{" EC ",\"alg\":\"HS256\"},{" EC
			  ",\"kid\":7},{" EC ",\"use\":\"enc\"}]}", &e) == 0, "a set with keys that can't be used is read");
	is_int(set.count, 1, "the one that can be used is in it");
	is_int(set.skipped.count, 6, "each of the others has its reason");
	is_str(set.skipped.v[0], "keys: key 1: a JWK of an unsupported type: oct", "with the file and the number");
	is_str(set.skipped.v[2], "keys: key 4: its \"alg\" is not supported for this type of key", "so that it is found");
}

static void test_refused(void)
{
	static const struct {
		const char *text, *why;
	} t[] = {
		{ "", "keys: no key in it (a JWK Set, or PEM certificates or public keys)" },
		{ "hello\n", "keys: no key in it (a JWK Set, or PEM certificates or public keys)" },
		{ "{}", "keys: no usable key: key 1: not a JWK: no \"kty\"" },
		{ "{\"keys\":[]}", "keys: no key in it (a JWK Set, or PEM certificates or public keys)" },
		{ "{\"keys\":{}}", "keys: \"keys\" is not a list" },
		{ "{\"keys\":null}", "keys: \"keys\" is not a list" },
		{ "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "keys: no usable key: key 1: a JWK of an unsupported type: oct" },
		{ "{\"keys\":[{" ED "}]", "keys: not JSON: the text ends too early at byte 89" },
		{ "{\"keys\":[],\"keys\":[{" ED "}]}", "keys: not JSON: the same key twice at byte 11" },
		{ "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		  "keys: no usable key: block 1: a PEM block without a public key: CERTIFICATE" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_jwks struct jwks set = JWKS_INIT;
		cleanup_err struct err e = ERR_INIT;

		ok(add_text(&set, t[i].text, &e) < 0, "'%.40s...' is refused", t[i].text);
		is_str(e.detail, t[i].why, "in one line");
	}
}

static void test_bounds(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT, bad = JWKS_INIT, junk = JWKS_INIT;
	cleanup_str struct str text = STR_INIT, none = STR_INIT;
	cleanup_err struct err e = ERR_INIT;

	str_puts(&text, "{\"keys\":[");
	str_puts(&none, "{\"keys\":[");
	for (int i = 0; i < JWKS_MAX_KEYS; i++) {
		str_puts(&text, "{" ED "},");
		str_puts(&none, i ? "{}," : "{" ED "},");
	}
	text.len--;
	none.len--;
	str_puts(&none, "]}");
	str_puts(&text, "]}");
	ok(add_text(&set, text.buf, &e) == 0 && set.count == JWKS_MAX_KEYS, "%d keys are taken", JWKS_MAX_KEYS);
	ok(add_text(&set, "{" ED "}", &e) < 0 && strcmp(e.detail, "keys: more than 256 keys") == 0, "one more is an error");
	text.len -= 2;
	str_puts(&text, ",{" ED "}]}");
	ok(add_text(&bad, text.buf, &e) < 0, "in one file too");
	ok(add_text(&junk, none.buf, &e) == 0 && junk.skipped.count == JWKS_MAX_NOTES, "the notes are bounded");
	while (none.len <= JWKS_MAX_FILE)
		str_puts(&none, "          ");
	ok(add_text(&junk, none.buf, &e) < 0 && strcmp(e.detail, "keys: longer than 1048576 bytes") == 0, "so is a file");
}

static void test_kid_bound(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_str struct str text = STR_INIT;

	str_puts(&text, "{" ED ",\"kid\":\"");
	for (int i = 0; i <= JWKS_MAX_KID; i++)
		str_addc(&text, 'k');
	str_puts(&text, "\"}");
	ok(add_text(&set, text.buf, NULL) < 0, "a name that is too long is not taken");
}

/* spill - a file in the directory of path */
static char *spill(const char *path, const char *name, const char *text)
{
	char *file;
	FILE *f;

	if (asprintf(&file, "%.*s/%s", (int)(strrchr(path, '/') - path), path, name) < 0)
		abort();
	f = fopen(file, "w");
	if (!f || fputs(text, f) < 0 || fclose(f) < 0)
		abort();
	return file;
}

static void test_directory(void)
{
	cleanup_jwks struct jwks set = JWKS_INIT, file = JWKS_INIT, gone = JWKS_INIT, empty = JWKS_INIT;
	char *first = test_file("b.json", "{" ED "}"), *second = spill(first, "a.pem", ""), *readme = spill(first, "README", "keys\n");
	char *hidden = spill(first, ".hidden.json", "{" EC "}"), *dir = strdup(first);
	cleanup_key struct key *rsa = test_key(rsa_pem);
	cleanup_str struct str pem = STR_INIT, note = STR_INIT;
	cleanup_err struct err e = ERR_INIT;

	*strrchr(dir, '/') = '\0';
	key_add_pem(rsa, &pem);
	free(spill(first, "a.pem", pem.buf));
	ok(jwks_add_path(&set, dir, true, &e) == 0 && set.count == 2, "a directory's files are read, hidden ones are not");
	ok(key_kind(set.v[0].key) == KEY_RSA && key_kind(set.v[1].key) == KEY_ED25519, "in the order of their names");
	str_addf(&note, "%s: no key in it (a JWK Set, or PEM certificates or public keys)", readme);
	is_str(set.skipped.count == 1 ? set.skipped.v[0] : "", note.buf, "a file that is none of keys is noted");
	ok(set.roots && key_roots_add_pem(set.roots, pem.buf, pem.len) == 0, "a public key is no root");
	ok(jwks_add_path(&file, first, false, &e) == 0 && file.count == 1, "a file alone is read too");
	unlink(first);
	unlink(second);
	ok(jwks_add_path(&empty, dir, false, &e) < 0, "a directory without keys is an error");
	str_reset(&note);
	str_addf(&note, "%s: no usable key: %s: no key in it (a JWK Set, or PEM certificates or public keys)", dir, readme);
	is_str(e.detail, note.buf, "in one line");
	ok(jwks_add_path(&gone, first, false, &e) < 0 && strstr(e.detail, "No such file"), "so is a file that is not there");
	unlink(readme);
	unlink(hidden);
	rmdir(dir);
	free(first), free(second), free(readme), free(hidden), free(dir);
}

int main(void)
{
	test_names();
	test_one_name_two_keys();
	test_alg();
	test_skipped();
	test_refused();
	test_bounds();
	test_kid_bound();
	test_directory();
	return done_testing();
}
