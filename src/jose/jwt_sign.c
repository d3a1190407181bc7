/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt_sign: issuing tokens.
 *
 * Owns the writing of claims. Invariant: jwt_verify() accepts every token signed here; otherwise signing fails.
 * A part of `jwt`.
 */

#include <stdlib.h>
#include <string.h>

#include "base/b64.h"
#include "base/mem.h"
#include "base/time.h"
#include "jose/jwt_claims.h"
#include "os/file.h"

#define JTI_BYTES 16

void jwt_begin(struct jwt *t, const char *iss, const char *aud, const char *sub, int64_t now, uint32_t lifetime)
{
	cleanup_str struct str jti = STR_INIT;
	unsigned char random[JTI_BYTES];

	*t = (struct jwt)JWT_INIT;
	os_random(random, sizeof(random));
	b64_encode(B64_URL, random, sizeof(random), &jti);
	t->iss = xstrdup(iss);
	t->aud = xstrdup(aud);
	t->sub = sub ? xstrdup(sub) : NULL;
	t->jti = xstrdup(jti.buf);
	t->iat = now;
	t->nbf = now;
	t->exp = now + lifetime;
}

void jwt_issued_at(const struct jwt *t, struct str *out)
{
	struct timespec ts = { .tv_sec = (time_t)t->iat };
	char text[TIME_RFC3339_MAX];

	time_rfc3339(text, &ts, 0);
	str_puts(out, text);
}

static void add_text(struct str *out, const char *name, const char *text)
{
	if (!text)
		return;
	str_addf(out, ",\"%s\":\"", name);
	str_add_json(out, text, strlen(text));
	str_addc(out, '"');
}

static void add_time(struct str *out, const char *name, int64_t t)
{
	if (t >= 0)
		str_addf(out, ",\"%s\":%lld", name, (long long)t);
}

static void add_access(struct str *out, const struct scopes *access)
{
	str_puts(out, ",\"access\":[");
	for (size_t i = 0; i < access->count; i++) {
		const struct scope *one = &access->v[i];
		const char *between = "";
		enum scope_action a;

		str_addf(out, "%s{\"type\":\"%s\"", i ? "," : "", scope_type_name(one->type));
		add_text(out, "class", one->klass[0] ? one->klass : NULL);
		add_text(out, "name", one->name);
		str_puts(out, ",\"actions\":[");
		for (a = SCOPE_PULL; a <= SCOPE_ALL; a <<= 1) {
			if (!(one->actions & a))
				continue;
			str_addf(out, "%s\"%s\"", between, scope_action_name(a));
			between = ",";
		}
		str_puts(out, "]}");
	}
	str_addc(out, ']');
}

/* From ,"a":... to {"a":...} in base64url. */
static void add_object(struct str *token, struct str *members)
{
	members->buf[0] = '{';
	str_addc(members, '}');
	b64_encode(B64_URL, members->buf, members->len, token);
}

/* Whether jwt_verify() would accept the claims. */
static int check(const struct jwt *t, struct err *e)
{
	const char *const texts[] = { t->iss, t->aud, t->sub, t->jti, t->typ };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (texts[i] && !jwt_text_ok(texts[i], strlen(texts[i])))
			return err_set(e, ERR_UNKNOWN, "a claim that is too long or has control characters");
	if (!t->iss || !*t->iss || !t->aud || !*t->aud)
		return err_set(e, ERR_UNKNOWN, "a token needs an issuer and a service");
	if (t->exp < 0 || t->exp > JWT_MAX_TIME)
		return err_set(e, ERR_UNKNOWN, "a token needs an end");
	return 0;
}

int jwt_sign(const struct jwt *t, const struct key *k, const char *kid, struct str *out, struct err *e)
{
	cleanup_str struct str header = STR_INIT, payload = STR_INIT, token = STR_SECRET, sig = STR_SECRET;
	enum key_alg alg = key_default_alg(k);

	if (check(t, e) < 0)
		return -1;
	add_text(&header, "typ", t->typ ? t->typ : "JWT");
	add_text(&header, "alg", key_alg_name(alg));
	add_text(&header, "kid", kid ? kid : key_thumbprint(k));
	add_text(&payload, "iss", t->iss);
	add_text(&payload, "sub", t->sub);
	add_text(&payload, "aud", t->aud);
	add_time(&payload, "exp", t->exp);
	add_time(&payload, "nbf", t->nbf);
	add_time(&payload, "iat", t->iat);
	add_text(&payload, "jti", t->jti);
	add_access(&payload, &t->access);
	add_object(&token, &header);
	str_addc(&token, '.');
	add_object(&token, &payload);
	if (key_sign(k, alg, token.buf, token.len, &sig, e) < 0)
		return -1;
	str_addc(&token, '.');
	b64_encode(B64_URL, sig.buf, sig.len, &token);
	if (token.len > JWT_MAX)
		return err_set(e, ERR_UNKNOWN, "a token of %zu bytes; at most %d are allowed", token.len, JWT_MAX);
	str_add(out, token.buf, token.len);
	return 0;
}
