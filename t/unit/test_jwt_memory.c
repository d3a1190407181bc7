/* SPDX-License-Identifier: Apache-2.0 */
/* jwt with a memory: the signature of a token is computed once, and everything else is checked each time. */

#include "jose/jwt.h"

#include "base/mem.h"
#include "jwt_make.h"
#include "tap.h"

static struct key *ed, *foreign;
static struct jwks trusted = JWKS_INIT;

/* A memory of one token, which counts how often it was asked and how often it knew. */
struct one {
	struct str token;
	unsigned asked, knew, added;
};

static bool one_has(void *arg, const char *token, size_t len)
{
	struct one *o = arg;
	bool has = o->token.len == len && memcmp(o->token.buf, token, len) == 0;

	o->asked++;
	o->knew += has;
	return has;
}

static void one_add(void *arg, const char *token, size_t len)
{
	struct one *o = arg;

	o->added++;
	str_reset(&o->token);
	str_add(&o->token, token, len);
}

/* A token whose signature was right before is checked in everything else as at first. */
static void test_memory(void)
{
	cleanup_free char *head = NULL;
	struct one one = { .token = STR_INIT };
	const struct jwt_memory memory = { &one, one_has, one_add };
	struct jwt_trust t = { .keys = &trusted, .iss = ISS, .aud = AUD, .memory = &memory }, other = t;
	cleanup_str struct str token = STR_INIT, wrong = STR_INIT;
	cleanup_jwt struct jwt out = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	if (asprintf(&head, "{\"typ\":\"JWT\",\"alg\":\"EdDSA\",\"kid\":\"%s\"}", key_thumbprint(ed)) < 0)
		abort();
	make_token(&token, head, "{" GOOD "}", ed, KEY_EDDSA, NULL);
	make_token(&wrong, head, "{" GOOD "}", foreign, KEY_EDDSA, NULL);
	ok(jwt_verify(wrong.buf, wrong.len, &t, NOW, &out, &e) < 0 && one.added == 0, "a wrong signature is not remembered");
	ok(jwt_verify(token.buf, token.len, &t, NOW, &out, &e) == 0 && one.added == 1, "a right one is");
	jwt_release(&out);
	ok(jwt_verify(token.buf, token.len, &t, NOW, &out, &e) == 0 && one.knew == 1 && one.added == 1, "and is not computed again");
	jwt_release(&out);
	ok(jwt_verify(wrong.buf, wrong.len, &t, NOW, &out, &e) < 0, "nothing else is known by it");
	ok(jwt_verify(token.buf, token.len, &t, NOW + 1000, &out, &e) < 0, "it expires as ever");
	is_str(e.detail, "expired 700 s ago", "and says so");
	other.aud = "another";
	ok(jwt_verify(token.buf, token.len, &other, NOW, &out, &e) < 0, "it is for one service");
	str_release(&one.token);
}

int main(void)
{
	ed = key_make(KEY_ED25519);
	foreign = key_make(KEY_ED25519);
	jwks_add_key(&trusted, key_share(ed), NULL);
	test_memory();
	key_close(&ed);
	key_close(&foreign);
	jwks_release(&trusted);
	return done_testing();
}
