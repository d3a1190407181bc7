/* SPDX-License-Identifier: Apache-2.0 */
/* jwt: valid tokens, and tokens that must be refused. */

#include "jose/jwt.h"

#include <openssl/evp.h>

#include "auth_keys.h"
#include "jwt_make.h"
#include "tap.h"

static struct key *ed, *ec, *rsa, *foreign;     /* the first three are trusted */
static struct jwks trusted = JWKS_INIT;
static const struct jwt_trust trust = { .keys = &trusted, .iss = ISS, .aud = AUD };

static void set_up(void)
{
	ed = key_make(KEY_ED25519);
	ec = key_make(KEY_P256);
	rsa = test_key(rsa_pem);
	foreign = key_make(KEY_ED25519);
	jwks_add_key(&trusted, key_share(ed), NULL);
	jwks_add_key(&trusted, key_share(ec), NULL);
	jwks_add_key(&trusted, key_share(rsa), NULL);
}

static void tear_down(void)
{
	key_close(&ed);
	key_close(&ec);
	key_close(&rsa);
	key_close(&foreign);
	jwks_release(&trusted);
}

/* why - why jwt_verify() refuses a token; "": it is valid. Borrowed until the next call. */
static const char *why(const struct str *token)
{
	static char text[sizeof(((struct err *)NULL)->detail)];
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	text[0] = '\0';
	if (jwt_verify(token->buf, token->len, &trust, NOW, &t, &e) == 0)
		return text;
	if (e.code != ERR_UNAUTHORIZED || t.iss || t.access.v)
		return "not refused as it should be";
	memcpy(text, e.detail, sizeof(text));
	return text;
}

/* header - a header for a key; `more` has further members, each after a comma. Borrowed until the next call. */
static const char *header(const struct key *k, const char *alg, const char *more)
{
	static char *text;

	free(text);
	if (asprintf(&text, "{\"typ\":\"JWT\",\"alg\":\"%s\",\"kid\":\"%s\"%s}", alg, key_thumbprint(k), more) < 0)
		abort();
	return text;
}

/* refuses - a token with these claims, signed by a trusted key, is refused for that reason ("": it is valid) */
static void refuses(const char *claims, const char *reason, const char *title)
{
	cleanup_str struct str token = STR_INIT;

	make_token(&token, header(ed, "EdDSA", ""), claims, ed, KEY_EDDSA, NULL);
	is_str(why(&token), reason, "%s", title);
}

/* The claims of the token in registry:2's documentation. (The signature there does not match the key beside it.) */
static void test_documented_claims(void)
{
	static const char claims[] =
		"{\"iss\":\"auth.docker.com\",\"sub\":\"jlhawn\",\"aud\":\"registry.docker.com\",\"exp\":1415387315,\"nbf\":1415387015,"
		"\"iat\":1415387015,\"jti\":\"tYJCO1c6cnyy7kAn0c7rKPgbV1H1bFws\",\"access\":[{\"type\":\"repository\","
		"\"name\":\"samalba/my-app\",\"actions\":[\"push\"]}]}";
	struct jwt_trust t = { .keys = &trusted, .iss = "auth.docker.com", .aud = "registry.docker.com" };
	cleanup_str struct str head = STR_INIT, token = STR_INIT;
	cleanup_jwt struct jwt jwt = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	str_addf(&head, "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"%s\"}", key_libtrust_id(ec));
	make_token(&token, head.buf, claims, ec, KEY_ES256, NULL);
	ok(jwt_verify(token.buf, token.len, &t, 1415387100, &jwt, &e) == 0, "a token as in registry:2's documentation holds: %s", e.detail);
	is_str(jwt.sub, "jlhawn", "its user");
	is_str(jwt.jti, "tYJCO1c6cnyy7kAn0c7rKPgbV1H1bFws", "its id");
	ok(scopes_allow(&jwt.access, SCOPE_REPOSITORY, "samalba/my-app", SCOPE_PUSH), "it grants what it says");
	ok(!scopes_allow(&jwt.access, SCOPE_REPOSITORY, "samalba/my-app", SCOPE_PULL), "and nothing else");
	jwt_release(&jwt);
	ok(jwt_verify(token.buf, token.len, &t, NOW, &jwt, &e) < 0, "years later it does not");
}

static void test_signed_here(void)
{
	struct key *const all[] = { ed, ec, rsa };

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		cleanup_jwt struct jwt t = JWT_INIT, back = JWT_INIT;
		cleanup_str struct str token = STR_INIT, want = STR_INIT, got = STR_INIT, at = STR_INIT;
		cleanup_err struct err e = ERR_INIT;
		const char *alg = key_alg_name(key_default_alg(all[i]));

		jwt_begin(&t, ISS, AUD, "al\"ice", NOW, 300);
		scopes_parse(&t.access, "repository:team/app:pull,push repository(plugin):p:* registry:catalog:*", 71, NULL);
		ok(jwt_sign(&t, all[i], i == 1 ? key_libtrust_id(all[i]) : NULL, &token, &e) == 0, "%s: a token is signed", alg);
		ok(jwt_verify(token.buf, token.len, &trust, NOW, &back, &e) == 0, "%s: it holds: %s", alg, e.detail);
		is_str(back.sub, "al\"ice", "its user comes back");
		is_str(back.jti, t.jti, "so does its id");
		is_str(back.typ, "JWT", "and its type");
		ok(back.iat == NOW && back.nbf == NOW && back.exp == NOW + 300, "and its times");
		scopes_add_text(&want, &t.access);
		scopes_add_text(&got, &back.access);
		is_str(got.buf, want.buf, "and its access");
		jwt_issued_at(&t, &at);
		is_str(at.buf, "2023-11-14T22:13:20Z", "issued_at is RFC 3339");
	}
}

static void test_not_signed(void)
{
	cleanup_jwt struct jwt t = JWT_INIT, other = JWT_INIT;
	cleanup_key struct key *public = NULL;
	cleanup_str struct str token = STR_INIT, jwk = STR_INIT;

	jwt_begin(&t, ISS, AUD, NULL, NOW, 300);
	jwt_begin(&other, ISS, AUD, NULL, NOW, 300);
	ok(strcmp(t.jti, other.jti) != 0 && strlen(t.jti) == 22, "each token has an id of its own");
	key_add_jwk(ed, &jwk);
	public = test_jwk(jwk.buf, NULL);
	ok(jwt_sign(&t, public, NULL, &token, NULL) < 0 && !token.len, "a public key signs nothing");
	free(t.sub);
	t.sub = xstrdup("a\nb");
	ok(jwt_sign(&t, ed, NULL, &token, NULL) < 0 && !token.len, "a user with control characters gets no token");
	free(t.sub);
	t.sub = NULL;
	t.exp = -1;
	ok(jwt_sign(&t, ed, NULL, &token, NULL) < 0 && !token.len, "nor is one made that has no end");
}

static void test_form(void)
{
	cleanup_str struct str token = STR_INIT, part = STR_INIT;
	static const char *const junk[] = { "", ".", "..", "...", "a", "a.b", "a..c", ".b.c", "a.b.", "....", "e30.e30.e30.e30", "a b.c.d" };
	struct jwt nothing;
	size_t len;

	make_token(&token, header(ed, "EdDSA", ""), "{" GOOD "}", ed, KEY_EDDSA, NULL);
	is_str(why(&token), "", "a good token holds");
	ok(jwt_verify(NULL, 0, &trust, NOW, &nothing, NULL) < 0, "nothing is no token");
	for (size_t i = 0; i < ARRAY_LEN(junk); i++) {
		str_reset(&part);
		str_puts(&part, junk[i]);
		ok(*why(&part), "'%s' is none: %s", junk[i], why(&part));
	}
	for (len = 0; len < token.len; len++) {
		str_reset(&part);
		str_add(&part, token.buf, len);
		if (!*why(&part))
			break;
	}
	is_int(len, token.len, "a token that is cut is none, wherever");
	str_reset(&part);
	str_addf(&part, "%s.e30", token.buf);
	is_str(why(&part), "not a token of three parts", "nor is one with a part more");
	str_reset(&part);
	str_addf(&part, "%s=", token.buf);
	ok(*why(&part), "nor one with padding");
	str_reset(&part);
	str_addf(&part, " %s", token.buf);
	ok(*why(&part), "nor one with a space in front");
	str_reset(&part);
	str_add(&part, token.buf, token.len);
	str_addc(&part, '\0');
	ok(*why(&part), "nor one with NUL behind");
}

/* The last character of an Ed25519 signature in base64url has two bits that belong to no byte. */
static void test_one_spelling(void)
{
	cleanup_str struct str token = STR_INIT;
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	char *last;
	int holds = 0;

	make_token(&token, header(ed, "EdDSA", ""), "{" GOOD "}", ed, KEY_EDDSA, NULL);
	last = token.buf + token.len - 1;
	for (size_t i = 0; i < 64; i++) {
		*last = digits[i];
		holds += !*why(&token);
	}
	is_int(holds, 1, "a signature has one spelling");
}

static void test_size(void)
{
	cleanup_str struct str token = STR_INIT, claims = STR_INIT;

	str_puts(&claims, "{" GOOD ",\"pad\":\"");
	while (claims.len < 24000)
		str_addc(&claims, 'x');
	str_puts(&claims, "\"}");
	make_token(&token, header(ed, "EdDSA", ""), claims.buf, ed, KEY_EDDSA, NULL);
	ok(token.len <= JWT_MAX && !*why(&token), "a token of %zu bytes holds", token.len);
	claims.len -= 2;
	while (claims.len < 24600)
		str_addc(&claims, 'x');
	str_puts(&claims, "\"}");
	make_token(&token, header(ed, "EdDSA", ""), claims.buf, ed, KEY_EDDSA, NULL);
	ok(token.len > JWT_MAX, "one of %zu bytes", token.len);
	is_str(why(&token), "the token is too long", "does not");
}

static void test_header(void)
{
	static const struct {
		const char *header, *why;
	} t[] = {
		{ "[]", "the token's header is not an object" },
		{ "null", "the token's header is not JSON: only null" },
		{ "{", "the token's header is not JSON: the text ends too early" },
		{ "{}", "no \"alg\" in the token's header" },
		{ "{\"alg\":null}", "no \"alg\" in the token's header" },
		{ "{\"alg\":5}", "no \"alg\" in the token's header" },
		{ "{\"alg\":[\"EdDSA\"]}", "no \"alg\" in the token's header" },
		{ "{\"alg\":\"EdDSA\"}", "no \"kid\" in the token's header" },
		{ "{\"alg\":\"EdDSA\",\"kid\":null}", "no \"kid\" in the token's header" },
		{ "{\"alg\":\"EdDSA\",\"kid\":7}", "\"kid\" is not a string" },
		{ "{\"alg\":\"EdDSA\",\"kid\":\"\"}", "signed by an unknown key" },
		{ "{\"alg\":\"EdDSA\",\"kid\":\"x\"}", "signed by an unknown key" },
		{ "{\"alg\":\"EdDSA\",\"alg\":\"none\"}", "the token's header is not JSON: the same key twice" },
		{ "{\"alg\":\"none\",\"\\u0061lg\":\"EdDSA\"}", "the token's header is not JSON: the same key twice" },
		{ "{\"alg\":\"EdDSA\\u0000\"}", "an \"alg\" that is not supported" },
	};
	static const char *const types[] = { "", ",\"typ\":\"jwt\"", ",\"typ\":\"at+jwt\"", ",\"typ\":7", ",\"typ\":null", ",\"cty\":\"JWT\"" };
	static const char *const crits[] = { ",\"crit\":[\"exp\"]", ",\"crit\":[]", ",\"crit\":null", ",\"crit\":[\"b64\"],\"b64\":false" };
	cleanup_str struct str token = STR_INIT, head = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		make_token(&token, t[i].header, "{" GOOD "}", ed, KEY_EDDSA, NULL);
		is_str(why(&token), t[i].why, "the header %s", t[i].header);
	}
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		str_reset(&head);
		str_addf(&head, "{\"alg\":\"EdDSA\",\"kid\":\"%s\"%s}", key_libtrust_id(ed), types[i]);
		make_token(&token, head.buf, "{" GOOD "}", ed, KEY_EDDSA, NULL);
		is_str(why(&token), "", "a header with '%s' is taken", types[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(crits); i++) {
		make_token(&token, header(ed, "EdDSA", crits[i]), "{" GOOD "}", ed, KEY_EDDSA, NULL);
		is_str(why(&token), "\"crit\" in the token's header", "one with '%s' is not", crits[i]);
	}
}

/* One key, several uses: a refresh token is not an access token. */
static void test_typ(void)
{
	const struct jwt_trust access = { .keys = &trusted, .iss = ISS, .aud = AUD, .typ = "JWT" };
	cleanup_jwt struct jwt t = JWT_INIT, back = JWT_INIT;
	cleanup_str struct str token = STR_INIT;
	cleanup_err struct err e = ERR_INIT;

	jwt_begin(&t, ISS, AUD, "alice", NOW, 300);
	t.typ = xstrdup("refresh+jwt");
	jwt_sign(&t, ed, NULL, &token, NULL);
	ok(jwt_verify(token.buf, token.len, &access, NOW, &back, &e) < 0, "a token for another use is refused");
	is_str(e.detail, "a token for another use: its \"typ\" differs", "and why");
	make_token(&token, "{\"alg\":\"EdDSA\"}", "{" GOOD "}", ed, KEY_EDDSA, NULL);
	ok(jwt_verify(token.buf, token.len, &access, NOW, &back, &e) < 0 && strstr(e.detail, "typ"), "so is one that does not say its use");
}

static void test_unsigned(void)
{
	static const char *const nones[] = { "none", "None", "NONE", "nOnE", "NoNe", "none ", " none", "non\\u0065", "", "null", "None\\u0000" };
	static const char *const sigs[] = { "", "AA", "e30" };
	cleanup_str struct str token = STR_INIT;

	for (size_t i = 0; i < ARRAY_LEN(nones); i++) {
		for (size_t j = 0; j < ARRAY_LEN(sigs); j++) {
			make_token(&token, header(ed, nones[i], ""), "{" GOOD "}", NULL, 0, sigs[j]);
			is_str(why(&token), *sigs[j] ? "an \"alg\" that is not supported" : "a part of the token is empty",
			       "alg '%s' with the signature '%s' is refused", nones[i], sigs[j]);
		}
		make_token(&token, header(ed, nones[i], ""), "{" GOOD "}", ed, KEY_EDDSA, NULL);
		is_str(why(&token), "an \"alg\" that is not supported", "alg '%s' with a good signature is refused too", nones[i]);
	}
	make_token(&token, header(ed, "EdDSA", ""), "{" GOOD "}", NULL, 0, "");
	is_str(why(&token), "a part of the token is empty", "EdDSA without a signature is refused");
}

static void test_wrong_key(void)
{
	static const char *const rsa_algs[] = { "RS256", "RS384", "RS512", "PS256" };
	cleanup_str struct str token = STR_INIT;

	make_token(&token, header(ed, "EdDSA", ""), "{" GOOD "}", foreign, KEY_EDDSA, NULL);
	is_str(why(&token), "the token's signature is wrong", "a trusted kid with a foreign signature is refused");
	make_token(&token, header(foreign, "EdDSA", ""), "{" GOOD "}", foreign, KEY_EDDSA, NULL);
	is_str(why(&token), "signed by an unknown key", "so is a foreign key under its own name");
	make_token(&token, header(rsa, "EdDSA", ""), "{" GOOD "}", ed, KEY_EDDSA, NULL);
	is_str(why(&token), "\"alg\" does not fit the key that \"kid\" names", "a kid of a key of another type is refused");
	make_token(&token, header(ec, "RS256", ""), "{" GOOD "}", rsa, KEY_RS256, NULL);
	is_str(why(&token), "\"alg\" does not fit the key that \"kid\" names", "whichever");
	make_token(&token, header(ec, "ES384", ""), "{" GOOD "}", ec, KEY_ES256, NULL);
	is_str(why(&token), "\"alg\" does not fit the key that \"kid\" names", "a key on P-256 does not do for ES384");
	make_token(&token, header(rsa, "RS256", ""), "{" GOOD "}", rsa, KEY_RS256, NULL);
	is_str(why(&token), "", "RS256 holds");
	for (size_t i = 1; i < ARRAY_LEN(rsa_algs); i++) {
		make_token(&token, header(rsa, rsa_algs[i], ""), "{" GOOD "}", rsa, KEY_RS256, NULL);
		is_str(why(&token), "the token's signature is wrong", "a signature of RS256 under the name of %s is refused", rsa_algs[i]);
	}
	make_token(&token, header(rsa, "RS256", ""), "{" GOOD "}", rsa, KEY_RS512, NULL);
	is_str(why(&token), "the token's signature is wrong", "and one of RS512 under the name of RS256");
}

/* The RSA key is public: a verifier that uses it as the secret of an HMAC lets everybody sign. */
static void test_public_key_as_secret(void)
{
	static const char *const algs[] = { "HS256", "HS384", "HS512", "RS256" };
	cleanup_str struct str secret = STR_INIT, token = STR_INIT;

	key_add_pem(rsa, &secret);
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		for (size_t cut = 0; cut < 2; cut++) {          /* with and without the last newline */
			unsigned char mac[EVP_MAX_MD_SIZE];
			size_t n = 0;

			make_token(&token, header(rsa, algs[i], ""), "{" GOOD "}", NULL, 0, "");
			if (!EVP_Q_mac(NULL, "HMAC", NULL, i == 1 ? "SHA384" : i == 2 ? "SHA512" : "SHA256", NULL, secret.buf,
				       secret.len - cut, (unsigned char *)token.buf, token.len - 1, mac, sizeof(mac), &n))
				abort();
			b64_encode(B64_URL, mac, n, &token);
			is_str(why(&token), i == 3 ? "the token's signature is wrong" : "an \"alg\" that is not supported",
			       "an HMAC with the RSA public key is no signature of %s", algs[i]);
		}
	}
}

/* Keys and URLs in the header are ignored, whether or not kid is trusted. */
static void test_keys_in_the_header(void)
{
	cleanup_str struct str token = STR_INIT, jwk = STR_INIT, head = STR_INIT;
	static const char refused[] = "signed by an unknown key";
	const char *more[] = { jwk.buf, ",\"jku\":\"https://evil.example.com/keys.json\"",
			       ",\"x5u\":\"https://evil.example.com/cert.pem\"", ",\"x5c\":[\"AAAA\"]" };

	str_puts(&jwk, ",\"jwk\":");
	key_add_jwk(foreign, &jwk);
	more[0] = jwk.buf;
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		make_token(&token, header(ed, "EdDSA", more[i]), "{" GOOD "}", foreign, KEY_EDDSA, NULL);
		is_str(why(&token), "the token's signature is wrong", "a trusted kid with a foreign%.6s is refused", more[i]);
		make_token(&token, header(foreign, "EdDSA", more[i]), "{" GOOD "}", foreign, KEY_EDDSA, NULL);
		is_str(why(&token), refused, "so is a foreign kid with its%.6s", more[i]);
		str_reset(&head);
		str_addf(&head, "{\"alg\":\"EdDSA\"%s}", more[i]);
		make_token(&token, head.buf, "{" GOOD "}", foreign, KEY_EDDSA, NULL);
		is_str(why(&token), "no \"kid\" in the token's header", "and%.6s alone", more[i]);
		make_token(&token, header(ed, "EdDSA", more[i]), "{" GOOD "}", ed, KEY_EDDSA, NULL);
		is_str(why(&token), "", "a good token with%.6s beside it holds: it is not looked at", more[i]);
	}
}

static void test_issuer_and_audience(void)
{
	refuses("{\"iss\":\"" ISS "\",\"aud\":[\"x\",\"" AUD "\"]," GOOD_TIMES "}", "", "aud may be a list with the service");
	refuses("{\"aud\":\"" AUD "\"," GOOD_TIMES "}", "no \"iss\"", "no issuer");
	refuses("{\"iss\":null,\"aud\":\"" AUD "\"," GOOD_TIMES "}", "no \"iss\"", "null is no issuer");
	refuses("{\"iss\":7,\"aud\":\"" AUD "\"," GOOD_TIMES "}", "\"iss\" is not a string", "nor is a number");
	refuses("{\"iss\":\"" ISS "/\",\"aud\":\"" AUD "\"," GOOD_TIMES "}", "\"iss\" is not the trusted issuer", "another issuer");
	refuses("{\"iss\":\"HTTPS://auth.example.com\",\"aud\":\"" AUD "\"," GOOD_TIMES "}", "\"iss\" is not the trusted issuer",
		"to the letter");
	refuses("{\"iss\":\"" ISS "\\u0000\",\"aud\":\"" AUD "\"," GOOD_TIMES "}", "\"iss\" is too long or has control characters",
		"and to the end");
	refuses("{\"iss\":\"" ISS "\"," GOOD_TIMES "}", "no \"aud\"", "no service");
	refuses("{\"iss\":\"" ISS "\",\"aud\":null," GOOD_TIMES "}", "no \"aud\"", "null is no service");
	refuses("{\"iss\":\"" ISS "\",\"aud\":\"\"," GOOD_TIMES "}", "\"aud\" is another service", "nor is the empty one");
	refuses("{\"iss\":\"" ISS "\",\"aud\":[]," GOOD_TIMES "}", "\"aud\" does not name this service", "nor an empty list");
	refuses("{\"iss\":\"" ISS "\",\"aud\":[\"\"]," GOOD_TIMES "}", "\"aud\" does not name this service", "nor a list with nothing");
	refuses("{\"iss\":\"" ISS "\",\"aud\":[[\"" AUD "\"]]," GOOD_TIMES "}", "\"aud\" does not name this service", "nor a list in a list");
	refuses("{\"iss\":\"" ISS "\",\"aud\":{\"" AUD "\":1}," GOOD_TIMES "}", "\"aud\" is neither a string nor a short list",
		"nor an object");
	refuses("{\"iss\":\"" ISS "\",\"aud\":7," GOOD_TIMES "}", "\"aud\" is neither a string nor a short list", "nor a number");
	refuses("{\"iss\":\"" ISS "\",\"aud\":\"" AUD "x\"," GOOD_TIMES "}", "\"aud\" is another service", "another service");
	refuses("{\"iss\":\"" ISS "\",\"aud\":\"" AUD "\\u0000\"," GOOD_TIMES "}", "\"aud\" is another service", "to the end");
}

static void test_nothing_configured(void)
{
	const struct jwt_trust no_aud = { .keys = &trusted, .iss = ISS, .aud = "" }, no_iss = { .keys = &trusted, .iss = "", .aud = AUD };
	cleanup_str struct str token = STR_INIT;
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	make_token(&token, header(ed, "EdDSA", ""), "{\"iss\":\"" ISS "\",\"aud\":\"\"," GOOD_TIMES "}", ed, KEY_EDDSA, NULL);
	ok(jwt_verify(token.buf, token.len, &no_aud, NOW, &t, &e) < 0, "where no service is configured an empty aud is none either");
	make_token(&token, header(ed, "EdDSA", ""), "{\"iss\":\"\",\"aud\":\"" AUD "\"," GOOD_TIMES "}", ed, KEY_EDDSA, NULL);
	ok(jwt_verify(token.buf, token.len, &no_iss, NOW, &t, &e) < 0, "nor is an empty issuer");
}

#define PARTIES "\"iss\":\"" ISS "\",\"aud\":\"" AUD "\","

static void test_times(void)
{
	refuses("{" PARTIES "\"exp\":1700000300}", "", "exp alone is enough");
	refuses("{" PARTIES "\"nbf\":1700000000}", "no \"exp\"", "without it there is no token");
	refuses("{" PARTIES "\"exp\":null}", "no \"exp\"", "null is no time");
	refuses("{" PARTIES "\"exp\":1699999941}", "", "59 s after its end a token still holds");
	refuses("{" PARTIES "\"exp\":1699999940}", "expired 60 s ago", "60 s after it does not");
	refuses("{" PARTIES "\"exp\":0}", "expired 1700000000 s ago", "nor one that ended in 1970");
	refuses("{" PARTIES "\"exp\":1700000300,\"nbf\":1700000060}", "", "60 s before its start it holds");
	refuses("{" PARTIES "\"exp\":1700000300,\"nbf\":1700000061}", "not valid for another 61 s", "before that it does not");
	refuses("{" PARTIES "\"exp\":1700000300,\"iat\":1700000060}", "", "clocks may differ by 60 s");
	refuses("{" PARTIES "\"exp\":1700000300,\"iat\":1700000061}", "issued 61 s from now", "not by more");
	refuses("{" PARTIES "\"exp\":1e999}", "\"exp\" is not a time in whole seconds", "1e999 is no time");
	refuses("{" PARTIES "\"exp\":-1}", "\"exp\" is not a time in whole seconds", "nor is a negative number");
	refuses("{" PARTIES "\"exp\":1700000300.5}", "\"exp\" is not a time in whole seconds", "nor a fraction");
	refuses("{" PARTIES "\"exp\":17000003e2}", "\"exp\" is not a time in whole seconds", "nor an exponent");
	refuses("{" PARTIES "\"exp\":\"1700000300\"}", "\"exp\" is not a time in whole seconds", "nor a string");
	refuses("{" PARTIES "\"exp\":true}", "\"exp\" is not a time in whole seconds", "nor true");
	refuses("{" PARTIES "\"exp\":[1700000300]}", "\"exp\" is not a time in whole seconds", "nor a list");
	refuses("{" PARTIES "\"exp\":253402300799}", "", "the end of the year 9999 is one");
	refuses("{" PARTIES "\"exp\":253402300800}", "\"exp\" is not a time in whole seconds", "a second later is not");
	refuses("{" PARTIES "\"exp\":9223372036854775807}", "\"exp\" is not a time in whole seconds", "nor the largest number of 63 bits");
	refuses("{" PARTIES "\"exp\":18446744073709551615}", "\"exp\" is not a time in whole seconds", "nor of 64");
	refuses("{" PARTIES "\"exp\":99999999999999999999999999}", "\"exp\" is not a time in whole seconds", "nor beyond");
	refuses("{" PARTIES "\"exp\":1700000300,\"nbf\":-5}", "\"nbf\" is not a time in whole seconds", "nbf likewise");
	refuses("{" PARTIES "\"exp\":1700000300,\"iat\":1.5}", "\"iat\" is not a time in whole seconds", "and iat");
}

static void test_payload(void)
{
	cleanup_str struct str deep = STR_INIT, sub = STR_INIT;

	refuses("[]", "the token's payload is not an object", "a list is no payload");
	refuses("\"x\"", "the token's payload is not an object", "nor is a string");
	refuses("", "a part of the token is empty", "nor nothing");
	refuses("{" GOOD "}x", "the token's payload is not JSON: text after the value", "nor an object with something behind it");
	refuses("{" GOOD ",\"aud\":\"x\"}", "the token's payload is not JSON: the same key twice", "nor one with a claim twice");
	refuses("{" GOOD ",\"\\u0061ud\":\"x\"}", "the token's payload is not JSON: the same key twice", "however it is spelled");
	refuses("{" GOOD ",\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"name\":\"b\",\"actions\":[]}]}",
		"the token's payload is not JSON: the same key twice", "and however deep");
	refuses("{" GOOD ",\"sub\":\"a\xff\"}", "the token's payload is not JSON: bytes that are not UTF-8", "nor one that is not UTF-8");
	refuses("{" GOOD ",\"sub\":7}", "\"sub\" is not a string", "a user is a string");
	refuses("{" GOOD ",\"sub\":\"a\\nb\"}", "\"sub\" is too long or has control characters", "without control characters");
	refuses("{" GOOD ",\"sub\":\"admin\\u0000x\"}", "\"sub\" is too long or has control characters", "NUL among them");
	refuses("{" GOOD ",\"jti\":{}}", "\"jti\" is not a string", "so is an id");
	refuses("{" GOOD ",\"sub\":null,\"jti\":null}", "", "null is nobody");
	str_puts(&deep, "{" GOOD ",\"x\":");
	for (int i = 0; i < 10000; i++)
		str_addc(&deep, '[');
	refuses(deep.buf, "the token's payload is not JSON: nested too deeply", "a payload that is nested ten thousand deep is refused");
	str_puts(&sub, "{" GOOD ",\"sub\":\"");
	for (int i = 0; i <= JWT_TEXT_MAX; i++)
		str_addc(&sub, 'a');
	str_puts(&sub, "\"}");
	refuses(sub.buf, "\"sub\" is too long or has control characters", "so is a user of more than 1 KiB");
}

#define ACCESS(entries) "{" GOOD ",\"access\":[" entries "]}"
#define ENTRY_1_MALFORMED "entry 1 of \"access\" is malformed or too big"

static void test_access(void)
{
	static const struct {
		const char *claims, *want;
		size_t ignored;
	} t[] = {
		{ "{" GOOD "}", "", 0 },
		{ "{" GOOD ",\"access\":null}", "", 0 },
		{ ACCESS(""), "", 0 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a/b\",\"actions\":[\"push\",\"pull\"],\"meta\":{}}"), "repository:a/b:pull,push", 0 },
		{ ACCESS("{\"type\":\"registry\",\"name\":\"catalog\",\"actions\":[\"*\"]}"), "registry:catalog:*", 0 },
		{ ACCESS("{\"type\":\"repository(plugin)\",\"name\":\"p\",\"actions\":[\"pull\"]}"), "repository(plugin):p:pull", 0 },
		{ ACCESS("{\"type\":\"repository\",\"class\":\"plugin\",\"name\":\"p\",\"actions\":[\"pull\"]}"), "repository(plugin):p:pull", 0 },
		{ ACCESS("{\"type\":\"repository\",\"class\":\"\",\"name\":\"p\",\"actions\":[\"pull\",\"fly\"]}"), "repository:p:pull", 0 },
		{ ACCESS("{\"type\":\"widget\",\"name\":\"p\",\"actions\":[\"pull\"]}"), "", 1 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a b\",\"actions\":[\"pull\"]}"), "", 1 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a\\u0000b\",\"actions\":[\"pull\"]}"), "", 1 },
		{ ACCESS("{\"type\":\"repository\\u0000\",\"name\":\"a\",\"actions\":[\"pull\"]}"), "", 1 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"pull\\u0000\"]}"), "", 0 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"\",\"actions\":[\"pull\"]}"), "", 1 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a\",\"actions\":[]}"), "", 0 },
		{ ACCESS("{\"type\":\"repository\",\"name\":\"a\",\"actions\":null}"), "", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		cleanup_str struct str token = STR_INIT, got = STR_INIT;
		cleanup_jwt struct jwt jwt = JWT_INIT;
		cleanup_err struct err e = ERR_INIT;

		make_token(&token, header(ed, "EdDSA", ""), t[i].claims, ed, KEY_EDDSA, NULL);
		ok(jwt_verify(token.buf, token.len, &trust, NOW, &jwt, &e) == 0, "...%s is taken: %s", t[i].claims + strlen("{" GOOD), e.detail);
		scopes_add_text(&got, &jwt.access);
		is_str(got.buf, t[i].want, "it grants '%s'", t[i].want);
		is_int(jwt.access.ignored, t[i].ignored, "%zu entries mean nothing", t[i].ignored);
	}
	refuses("{" GOOD ",\"access\":{}}", "\"access\" is not a list", "access is a list");
	refuses("{" GOOD ",\"access\":\"*\"}", "\"access\" is not a list", "not a string");
	refuses(ACCESS("1"), ENTRY_1_MALFORMED, "its entries are objects");
	refuses(ACCESS("null"), ENTRY_1_MALFORMED, "not null");
	refuses(ACCESS("{\"type\":\"repository\",\"actions\":[]}"), ENTRY_1_MALFORMED, "with a name");
	refuses(ACCESS("{\"name\":\"a\",\"actions\":[]}"), ENTRY_1_MALFORMED, "and a type");
	refuses(ACCESS("{\"type\":\"repository\",\"name\":[\"a\"],\"actions\":[]}"), ENTRY_1_MALFORMED, "which are strings");
	refuses(ACCESS("{\"type\":\"repository\",\"name\":\"a\",\"actions\":\"pull\"}"), ENTRY_1_MALFORMED, "actions are a list");
	refuses(ACCESS("{\"type\":\"repository\",\"name\":\"a\",\"actions\":[[\"pull\"]]}"), ENTRY_1_MALFORMED, "of strings");
}

static void test_access_bounds(void)
{
	cleanup_str struct str claims = STR_INIT;

	str_puts(&claims, "{" GOOD ",\"access\":[");
	for (int i = 0; i < SCOPES_MAX; i++)
		str_addf(&claims, "%s{\"type\":\"repository\",\"name\":\"r%d\",\"actions\":[\"pull\"]}", i ? "," : "", i);
	str_puts(&claims, "]}");
	refuses(claims.buf, "", "a token for as many repositories as a set holds is taken");
	claims.len -= 2;
	str_puts(&claims, ",{}]}");
	refuses(claims.buf, "\"access\" has more than 64 entries", "one more is refused");
	str_reset(&claims);
	str_puts(&claims, "{" GOOD ",\"access\":[{\"type\":\"repository\",\"name\":\"a\",\"actions\":[\"pull\"");
	for (int i = 0; i < JWT_MAX_ACTIONS; i++)
		str_puts(&claims, ",\"pull\"");
	str_puts(&claims, "]}]}");
	refuses(claims.buf, ENTRY_1_MALFORMED, "so are more actions than there are");
	str_reset(&claims);
	str_puts(&claims, "{" GOOD ",\"access\":[{\"type\":\"repository\",\"actions\":[],\"name\":\"");
	for (int i = 0; i <= SCOPE_NAME_MAX; i++)
		str_addc(&claims, 'a');
	str_puts(&claims, "\"}]}");
	refuses(claims.buf, ENTRY_1_MALFORMED, "and a name that is too long");
}

int main(void)
{
	set_up();
	test_documented_claims();
	test_signed_here();
	test_not_signed();
	test_form();
	test_one_spelling();
	test_size();
	test_header();
	test_typ();
	test_unsigned();
	test_wrong_key();
	test_public_key_as_secret();
	test_keys_in_the_header();
	test_issuer_and_audience();
	test_nothing_configured();
	test_times();
	test_payload();
	test_access();
	test_access_bounds();
	tear_down();
	return done_testing();
}
