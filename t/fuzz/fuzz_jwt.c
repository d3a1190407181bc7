/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and sets of keys. The first byte of an input says what the rest is:
 *
 *   t  a token. It is valid only if one of the two trusted keys signed it
 *   s  a header, a newline, claims: signed by a trusted key, to reach the code after the signature
 *   k  the content of a file of keys
 *
 * The trusted keys are those of RFC 8037, with its private half here, and of RFC 7515 (A.3).
 */

#include "fuzz.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/b64.h"
#include "jose/jwt.h"

#define NOW 1700000000

static const char keys_text[] =
	"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\",\"kid\":\"k\"},"
	"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\",\"kid\":\"e\"}]}";
static const char private_text[] =
	"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

static struct jwks keys = JWKS_INIT;
static struct key *signer;

static void set_up(void)
{
	char path[64];
	int fd;

	if (signer)
		return;
	fd = memfd_create("key", 0);
	CHECK(fd >= 0 && fchmod(fd, 0600) == 0);
	CHECK(write(fd, private_text, strlen(private_text)) == (ssize_t)strlen(private_text));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	signer = key_load(path, NULL);
	close(fd);
	CHECK(signer && jwks_add_text(&keys, "keys", keys_text, strlen(keys_text), true, NULL) == 0);
	keys.roots = key_roots_open();          /* empty: chains are parsed, and all are refused */
}

static void check_text(const char *s)
{
	CHECK(!s || (strlen(s) <= JWT_TEXT_MAX && fuzz_is_utf8(s, strlen(s)) && !fuzz_has_control(s, strlen(s))));
}

static void check_claims(const struct jwt *t)
{
	CHECK(strcmp(t->iss, "i") == 0 && strcmp(t->aud, "a") == 0);
	check_text(t->sub);
	check_text(t->jti);
	check_text(t->typ);
	CHECK(t->exp > NOW - JWT_LEEWAY && t->exp <= JWT_MAX_TIME && t->nbf <= NOW + JWT_LEEWAY && t->iat <= NOW + JWT_LEEWAY);
	CHECK(t->nbf >= -1 && t->iat >= -1 && t->access.count <= SCOPES_MAX);
	for (size_t i = 0; i < t->access.count; i++)
		CHECK(t->access.v[i].actions && t->access.v[i].name[0] && strlen(t->access.v[i].name) <= SCOPE_NAME_MAX);
}

/* The claims can be signed again, and then are the same. */
static void check_again(const struct jwt *t)
{
	const struct jwt_trust trust = { .keys = &keys, .iss = "i", .aud = "a" };
	cleanup_str struct str token = STR_INIT, first = STR_INIT, second = STR_INIT;
	cleanup_jwt struct jwt back = JWT_INIT;

	if (jwt_sign(t, signer, NULL, &token, NULL) < 0)
		return;         /* escaping makes JSON longer */
	CHECK(jwt_verify(token.buf, token.len, &trust, NOW, &back, NULL) == 0);
	CHECK(!t->sub == !back.sub && (!t->sub || strcmp(t->sub, back.sub) == 0));
	CHECK(back.exp == t->exp && back.nbf == t->nbf && back.iat == t->iat);
	scopes_add_text(&first, &t->access);
	scopes_add_text(&second, &back.access);
	CHECK(strcmp(first.buf, second.buf) == 0);
}

/* Whether a trusted key made the signature, without parsing the header. */
static bool signed_by_trusted(const char *token, size_t len)
{
	const char *dot = memrchr(token, '.', len);
	cleanup_str struct str sig = STR_INIT;
	size_t head = dot ? (size_t)(dot - token) : 0;

	if (!dot || b64_decode(B64_URL, dot + 1, len - head - 1, &sig) < 0)
		return false;
	return key_verify(keys.v[0].key, KEY_EDDSA, token, head, sig.buf, sig.len) ||
	       key_verify(keys.v[1].key, KEY_ES256, token, head, sig.buf, sig.len);
}

static void check_token(const char *token, size_t len)
{
	const struct jwt_trust trust = { .keys = &keys, .iss = "i", .aud = "a" };
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	if (jwt_verify(token, len, &trust, NOW, &t, &e) < 0) {
		CHECK(fuzz_is_error(&e, ERR_UNAUTHORIZED, 401) && e.detail[0]);
		CHECK(!t.iss && !t.aud && !t.sub && !t.jti && !t.typ && !t.access.v);
		return;
	}
	CHECK(len <= JWT_MAX && signed_by_trusted(token, len));
	check_claims(&t);
	check_again(&t);
}

static void check_signed(const char *s, size_t len)
{
	const char *nl = memchr(s, '\n', len);
	cleanup_str struct str token = STR_INIT, sig = STR_INIT;

	if (!nl)
		return;
	b64_encode(B64_URL, s, (size_t)(nl - s), &token);
	str_addc(&token, '.');
	b64_encode(B64_URL, nl + 1, len - (size_t)(nl + 1 - s), &token);
	CHECK(key_sign(signer, KEY_EDDSA, token.buf, token.len, &sig, NULL) == 0);
	str_addc(&token, '.');
	b64_encode(B64_URL, sig.buf, sig.len, &token);
	check_token(token.buf, token.len);
}

static void check_keys(const char *s, size_t len)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_err struct err e = ERR_INIT;
	bool named;

	if (jwks_add_text(&set, "keys", s, len, true, &e) < 0)
		CHECK(fuzz_is_error(&e, ERR_UNKNOWN, 500) && strncmp(e.detail, "keys: ", 6) == 0 && !strchr(e.detail, '\n'));
	else
		CHECK(set.count > 0);
	CHECK(set.count <= JWKS_MAX_KEYS && set.skipped.count <= JWKS_MAX_NOTES);
	for (size_t i = 0; i < set.count; i++) {
		const struct key *k = set.v[i].key;
		cleanup_str struct str jwk = STR_INIT;
		cleanup_jwks struct jwks one = JWKS_INIT;

		CHECK(!key_is_private(k) && strlen(key_libtrust_id(k)) == 59 && strlen(key_thumbprint(k)) == 43);
		jwks_find(&set, key_thumbprint(k), 43, key_default_alg(k), &named);
		CHECK(named);
		key_add_jwk(k, &jwk);
		CHECK(jwks_add_text(&one, "jwk", jwk.buf, jwk.len, false, NULL) == 0);
		CHECK(strcmp(key_libtrust_id(one.v[0].key), key_libtrust_id(k)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *s = (const char *)data;

	if (!size)
		return 0;
	set_up();
	if (s[0] == 't')
		check_token(s + 1, size - 1);
	else if (s[0] == 's')
		check_signed(s + 1, size - 1);
	else if (s[0] == 'k')
		check_keys(s + 1, size - 1);
	return 0;
}
