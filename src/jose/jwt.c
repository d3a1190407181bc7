/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt: parsing a token and verifying its signature.
 *
 * Owns the compact form and the choice of the key. Invariant: a key comes from the trusted set or from a certificate chain
 * that ends at a trusted root, and is used only with an algorithm for its type. Knows nothing of requests and users.
 */
#include "jose/jwt.h"

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/json.h"
#include "base/mem.h"
#include "jose/jwt_claims.h"

struct parts {                  /* borrowed slices of the token */
	const char *header, *payload, *signature;
	size_t header_len, payload_len, signature_len;
	size_t signed_len;              /* the signed bytes: up to the second dot */
};

void jwt_release(struct jwt *t)
{
	free(t->iss);
	free(t->aud);
	free(t->sub);
	free(t->jti);
	free(t->typ);
	scopes_release(&t->access);
	*t = (struct jwt)JWT_INIT;
}

/* RFC 7515, 7.1: three parts. base64url has no dot, so a third dot means a fourth part. */
static int split(const char *token, size_t len, struct parts *p, struct err *e)
{
	const char *end, *first, *second;

	if (len > JWT_MAX)
		return jwt_refuse(e, "the token is too long");
	if (!len)
		return jwt_refuse(e, "not a token of three parts");     /* token may be NULL then */
	end = token + len;
	first = memchr(token, '.', len);
	second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
	if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
		return jwt_refuse(e, "not a token of three parts");
	p->header = token;
	p->header_len = (size_t)(first - token);
	p->payload = first + 1;
	p->payload_len = (size_t)(second - first - 1);
	p->signature = second + 1;
	p->signature_len = (size_t)(end - second - 1);
	p->signed_len = (size_t)(second - token);
	if (!p->header_len || !p->payload_len || !p->signature_len)
		return jwt_refuse(e, "a part of the token is empty");
	return 0;
}

/* The algorithm of the header: 0, or -1 with *e if it is not a signature by a key pair. */
static int read_alg(struct json_object *header, enum key_alg *alg, struct err *e)
{
	const char *s;
	size_t len;

	if (json_get_string(header, "alg", &s, &len) != 1)
		return jwt_refuse(e, "no \"alg\" in the token's header");
	if (key_alg_parse(s, len, alg) < 0)
		return jwt_refuse(e, "an \"alg\" that is not supported");
	return 0;
}

/*
 * The key that must have signed the token, owned; NULL with *e. If `kid` names a trusted key no other is tried, whatever
 * else the header has.
 */
static struct key *choose(struct json_object *header, enum key_alg alg, const struct jwks *keys, int64_t now, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	struct json_object *x5c = NULL;
	const struct key *known = NULL;
	struct key *k;
	bool named = false;
	const char *kid;
	size_t len;

	switch (json_get_string(header, "kid", &kid, &len)) {
	case 0:
		break;
	case 1:
		known = jwks_find(keys, kid, len, alg, &named);
		break;
	default:
		jwt_refuse(e, "\"kid\" is not a string");
		return NULL;
	}
	if (named) {
		if (!known)
			jwt_refuse(e, "\"alg\" does not fit the key that \"kid\" names");
		return known ? key_share(known) : NULL;
	}
	if (!keys->roots || !json_object_object_get_ex(header, "x5c", &x5c)) {
		jwt_refuse(e, kid ? "signed by an unknown key" : "no \"kid\" in the token's header");
		return NULL;
	}
	k = key_from_x5c(keys->roots, x5c, now, &why);
	if (!k) {
		jwt_refuse(e, why.detail);
	} else if (!key_fits(k, alg)) {
		key_close(&k);
		jwt_refuse(e, "\"alg\" does not fit the key of \"x5c\"");
	}
	return k;
}

static int check_signature(const char *token, size_t len, const struct parts *p, const struct key *k, enum key_alg alg,
			   const struct jwt_memory *memory, struct err *e)
{
	cleanup_str struct str sig = STR_SECRET;

	if (memory && memory->has(memory->arg, token, len))
		return 0;
	sig.max = KEY_SIGNATURE_MAX;
	if (b64_decode(B64_URL, p->signature, p->signature_len, &sig) < 0)
		return jwt_refuse(e, "the token's signature is too long or not base64url");
	if (!key_verify(k, alg, token, p->signed_len, sig.buf, sig.len))
		return jwt_refuse(e, "the token's signature is wrong");
	if (memory)
		memory->add(memory->arg, token, len);
	return 0;
}

static int check_header(struct json_object *header, const struct jwt_trust *trust, enum key_alg *alg, char **typ, struct err *e)
{
	*alg = KEY_ALG_COUNT;
	*typ = NULL;
	/* RFC 7515, 4.1.11: a header marked as critical must be understood, and berth knows none of them */
	if (json_object_object_get_ex(header, "crit", NULL))
		return jwt_refuse(e, "\"crit\" in the token's header");
	if (jwt_text(header, "typ", typ, NULL) < 0)
		*typ = NULL;            /* a `typ` that is not text counts as absent */
	if (trust->typ && (!*typ || strcmp(*typ, trust->typ) != 0))
		return jwt_refuse(e, "a token for another use: its \"typ\" differs");
	return read_alg(header, alg, e);
}

int jwt_verify(const char *token, size_t len, const struct jwt_trust *trust, int64_t now, struct jwt *out, struct err *e)
{
	cleanup_json struct json_object *header = NULL, *payload = NULL;
	cleanup_jwt struct jwt t = JWT_INIT;
	cleanup_key struct key *k = NULL;
	enum key_alg alg;
	struct parts p = { 0 };

	*out = (struct jwt)JWT_INIT;
	if (split(token, len, &p, e) < 0)
		return -1;
	header = jwt_object(p.header, p.header_len, "header", e);
	if (!header || check_header(header, trust, &alg, &t.typ, e) < 0)
		return -1;
	k = choose(header, alg, trust->keys, now, e);
	if (!k || check_signature(token, len, &p, k, alg, trust->memory, e) < 0)
		return -1;
	payload = jwt_object(p.payload, p.payload_len, "payload", e);
	if (!payload || jwt_read_claims(payload, trust, now, &t, e) < 0)
		return -1;
	*out = t;
	t = (struct jwt)JWT_INIT;
	return 0;
}
