/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tool_jwt: src/jose's keys and tokens from the command line, for tests that compare them with openssl(1).
 *
 * tool_jwt verify [--keys PATH] [--roots PATH] --iss ISS --aud AUD [--now SECONDS]     a token from standard input
 * tool_jwt sign --key FILE --iss ISS --aud AUD [--sub USER] [--scope SCOPE] [--now SECONDS] [--libtrust]
 * tool_jwt rawsign --key FILE --alg ALG                                                standard input, to base64url
 * tool_jwt make --key FILE --kind ed25519|p256                                         loaded if it exists
 * tool_jwt names --keys PATH                                                           "kind thumbprint libtrust" of each
 * tool_jwt public --key FILE                                                           as PEM, and as JWK on one line
 *
 * The status is 0, or 1 if something is refused; standard output says why.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "base/b64.h"
#include "base/mem.h"
#include "jose/jwt.h"

struct options {
	const char *keys, *roots, *iss, *aud, *sub, *scope, *key, *kind, *alg;
	int64_t now;
	bool libtrust;
};

static int refused(const struct err *e)
{
	printf("refused: %s\n", e->detail);
	return 1;
}

static void read_input(struct str *in)
{
	char buf[4096];
	size_t n;

	while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0)
		str_add(in, buf, n);
}

static int load_keys(const struct options *o, struct jwks *set, struct err *e)
{
	size_t i;

	if ((o->keys && jwks_add_path(set, o->keys, false, e) < 0) || (o->roots && jwks_add_path(set, o->roots, true, e) < 0))
		return -1;
	for (i = 0; i < set->skipped.count; i++)
		fprintf(stderr, "%s\n", set->skipped.v[i]);
	return 0;
}

static int verify(const struct options *o)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	struct jwt_trust trust = { .keys = &set, .iss = o->iss, .aud = o->aud };
	cleanup_str struct str token = STR_INIT, access = STR_INIT;
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;

	read_input(&token);
	if (load_keys(o, &set, &e) < 0 || jwt_verify(token.buf, token.len, &trust, o->now, &t, &e) < 0)
		return refused(&e);
	scopes_add_text(&access, &t.access);
	printf("sub=%s access=%s\n", t.sub ? t.sub : "", access.buf);
	return 0;
}

static int sign(const struct options *o)
{
	cleanup_str struct str token = STR_INIT;
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_err struct err e = ERR_INIT;
	cleanup_key struct key *k = key_load(o->key, &e);

	if (!k)
		return refused(&e);
	jwt_begin(&t, o->iss, o->aud, o->sub, o->now, 300);
	if ((o->scope && scopes_parse(&t.access, o->scope, strlen(o->scope), &e) < 0) ||
	    jwt_sign(&t, k, o->libtrust ? key_libtrust_id(k) : NULL, &token, &e) < 0)
		return refused(&e);
	printf("%s", token.buf);
	return 0;
}

static int rawsign(const struct options *o)
{
	cleanup_str struct str in = STR_INIT, raw = STR_INIT, text = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	cleanup_key struct key *k = key_load(o->key, &e);
	enum key_alg alg;

	if (!k)
		return refused(&e);
	if (key_alg_parse(o->alg, strlen(o->alg), &alg) < 0)
		return 2;
	read_input(&in);
	if (key_sign(k, alg, in.buf, in.len, &raw, &e) < 0)
		return refused(&e);
	b64_encode(B64_URL, raw.buf, raw.len, &text);
	printf("%s", text.buf);
	return 0;
}

static int make(const struct options *o)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_key struct key *k = key_load_or_make(o->key, strcmp(o->kind, "p256") == 0 ? KEY_P256 : KEY_ED25519, &e);

	if (!k)
		return refused(&e);
	printf("%s\n", key_thumbprint(k));
	return 0;
}

static int list_names(const struct options *o)
{
	cleanup_jwks struct jwks set = JWKS_INIT;
	cleanup_err struct err e = ERR_INIT;
	size_t i;

	if (load_keys(o, &set, &e) < 0)
		return refused(&e);
	for (i = 0; i < set.count; i++)
		printf("%d %s %s\n", key_kind(set.v[i].key), key_thumbprint(set.v[i].key), key_libtrust_id(set.v[i].key));
	return 0;
}

static int show_public(const struct options *o)
{
	cleanup_str struct str text = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	cleanup_key struct key *k = key_load(o->key, &e);

	if (!k)
		return refused(&e);
	key_add_pem(k, &text);
	key_add_jwk(k, &text);
	printf("%s\n", text.buf);
	return 0;
}

static int parse(int argc, char **argv, struct options *o)
{
	const struct {
		const char *name;
		const char **to;
	} texts[] = {
		{ "--keys", &o->keys }, { "--roots", &o->roots }, { "--iss", &o->iss }, { "--aud", &o->aud }, { "--sub", &o->sub },
		{ "--scope", &o->scope }, { "--key", &o->key }, { "--kind", &o->kind }, { "--alg", &o->alg },
	};

	for (int i = 2; i < argc; i++) {
		size_t k;

		if (strcmp(argv[i], "--libtrust") == 0) {
			o->libtrust = true;
			continue;
		}
		if (i + 1 == argc)
			return -1;
		for (k = 0; k < ARRAY_LEN(texts) && strcmp(argv[i], texts[k].name) != 0; k++)
			;
		if (k < ARRAY_LEN(texts))
			*texts[k].to = argv[++i];
		else if (strcmp(argv[i], "--now") == 0)
			o->now = strtoll(argv[++i], NULL, 10);
		else
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct options *o);
	} commands[] = {
		{ "verify", verify }, { "sign", sign }, { "rawsign", rawsign }, { "make", make }, { "names", list_names }, { "public", show_public },
	};
	struct options o = { .iss = "", .aud = "", .key = "", .kind = "", .alg = "", .now = time(NULL) };

	if (argc < 2 || parse(argc, argv, &o) < 0)
		return 2;
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(&o);
	}
	return 2;
}
