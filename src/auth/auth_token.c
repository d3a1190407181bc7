/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_token: accepting and issuing tokens.
 *
 * Owns the claims of the tokens that berth issues: `sub`, the user, absent if not logged in; `access`, the scopes that
 * were asked for and that the rules granted; `jti`, a random part, a dot and the stamp of the user's line in the htpasswd
 * or robots file. Invariant: such a token is valid only while that line does not change. A refresh token is never
 * accepted as an access token, nor the reverse. A part of `auth`.
 */
#include "auth/auth_own.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/access.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/time.h"
#include "jose/jwt.h"

#define TYP_ACCESS "JWT"
#define TYP_REFRESH "berth-refresh"

bool auth_issues_tokens(const struct auth *a)
{
	return a->keys && a->keys->own;
}

static int void_token(struct identity *id, const char *why, struct err *e)
{
	identity_refuse(id, why, e);
	id->error = "invalid_token";
	return err_set(e, ERR_UNAUTHORIZED, "%s", why);
}

static struct memo_proof proof_of(const struct auth *a, const char *token, size_t len)
{
	struct memo_proof proof;

	memo_prove(a->tokens, "", "", token, len, &proof);
	return proof;
}

static bool has_seen(void *arg, const char *token, size_t len)
{
	const struct auth *a = arg;
	struct memo_proof proof = proof_of(a, token, len);

	return memo_has(a->tokens, &proof, time_now_usec());
}

static void note_seen(void *arg, const char *token, size_t len)
{
	struct auth *a = arg;
	struct memo_proof proof = proof_of(a, token, len);

	memo_add(a->tokens, &proof, time_now_usec());
}

/* The reason goes to the client too: it holds no secret, and helps the owner of the token. */
static int verify(struct auth *a, const char *text, size_t len, struct jwt_trust *trust, struct jwt *t, struct identity *id, struct err *e)
{
	const struct jwt_memory memory = { .arg = a, .has = has_seen, .add = note_seen };

	trust->memory = &memory;
	if (jwt_verify(text, len, trust, (int64_t)time(NULL), t, e) == 0)
		return 0;
	identity_refuse(id, id->why, NULL);
	id->error = "invalid_token";
	memcpy(id->why, e->detail, strnlen(e->detail, sizeof(id->why) - 1));
	return -1;
}

/* Whether the user exists and still has the password that the token was issued for: 0, or -1. */
static int check_stamp(struct auth *a, const struct jwt *t, struct identity *id, struct err *e)
{
	const char *dot = t->jti ? strchr(t->jti, '.') : NULL;
	char stamp[HTPASSWD_STAMP_MAX];
	const char *why;
	int found;

	if (!dot || identity_set_user(id, t->sub, strlen(t->sub)) < 0)
		return void_token(id, "not a token of a user of this registry", e);
	found = auth_stamp(a, id, stamp, &why, e);
	if (found < 0) {
		id->refused = "the htpasswd or robots file cannot be read";
		return -1;
	}
	if (!found)
		return void_token(id, why, e);
	if (strcmp(dot + 1, stamp) != 0)
		return void_token(id, "the password of its user has changed", e);
	id->kind = IDENTITY_USER;
	return 0;
}

/* A token that berth issued, of this `typ`. */
static int own(struct auth *a, const char *text, size_t len, const char *typ, struct jwt *t, struct identity *id, struct err *e)
{
	const char *service = a->cfg->auth.token.service;
	struct jwt_trust trust = { .keys = &a->keys->own_set, .iss = service, .aud = service, .typ = typ };

	if (verify(a, text, len, &trust, t, id, e) < 0)
		return -1;
	return t->sub && *t->sub ? check_stamp(a, t, id, e) : 0;
}

static int foreign(struct auth *a, const char *text, size_t len, struct jwt *t, struct identity *id, struct err *e)
{
	const struct config_foreign *f = &a->cfg->auth.foreign;
	struct jwt_trust trust = { .keys = &a->keys->foreign, .iss = f->issuer, .aud = f->service };

	if (verify(a, text, len, &trust, t, id, e) < 0)
		return -1;
	id->foreign = true;
	if (t->sub && identity_set_user(id, t->sub, strlen(t->sub)) == 0)
		id->kind = IDENTITY_USER;
	return 0;
}

int auth_bearer(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e)
{
	cleanup_jwt struct jwt t = JWT_INIT;
	size_t len = strlen(text);
	int rc;

	(void)c;
	if (auth_issues_tokens(a))
		rc = own(a, text, len, TYP_ACCESS, &t, id, e);
	else if (a->keys && config_foreign_tokens(a->cfg))
		rc = foreign(a, text, len, &t, id, e);
	else
		return identity_refuse(id, "unknown scheme", e);
	if (rc < 0)
		return -1;
	id->bearer = true;
	id->scopes = t.access;
	t.access = (struct scopes)SCOPES_INIT;
	return 0;
}

int auth_by_refresh(struct auth *a, const char *token, size_t len, struct identity *id, struct err *e)
{
	cleanup_jwt struct jwt t = JWT_INIT;

	if (own(a, token, len, TYP_REFRESH, &t, id, e) < 0)
		return -1;
	return id->kind == IDENTITY_USER ? 0 : void_token(id, "not a token of a user", e);
}

/* The part of one wanted scope that the rules grant; without actions if that is nothing. */
static struct scope given(const struct auth *a, const struct identity *id, const struct scope *want)
{
	static const enum right rights[] = { RIGHT_PULL, RIGHT_PUSH, RIGHT_DELETE };
	struct scope one = *want;
	struct name n;

	one.actions = 0;
	if (want->type == SCOPE_REGISTRY) {
		if (strcmp(want->name, "catalog") == 0 && (want->actions & SCOPE_ALL) && (id->kind == IDENTITY_USER || access_anonymous(a->cfg)))
			one.actions = SCOPE_ALL;
		return one;
	}
	if (name_parse(&n, want->name, strlen(want->name)) < 0)
		return one;
	for (size_t i = 0; i < ARRAY_LEN(rights); i++)
		if ((want->actions & (SCOPE_ALL | (unsigned)rights[i])) && auth_rules_grant(a, id, rights[i], &n))
			one.actions |= (unsigned)rights[i];
	return one;
}

/* Begin a token for the user with this stamp; user NULL: not logged in. */
static void begin(struct jwt *t, const struct auth *a, const char *user, const char *stamp, uint32_t seconds)
{
	const char *service = a->cfg->auth.token.service;
	cleanup_str struct str jti = STR_INIT;

	jwt_begin(t, service, service, user, (int64_t)time(NULL), seconds);
	if (!user)
		return;
	str_addf(&jti, "%s.%s", t->jti, stamp);
	free(t->jti);
	t->jti = xstrdup(jti.buf);
}

static int add_tokens(const struct auth *a, const struct identity *id, const char *stamp, const struct scopes *want, bool refresh,
		      struct str *json, struct err *e)
{
	const char *user = id->kind == IDENTITY_USER ? id->user : NULL;
	cleanup_str struct str access = STR_SECRET, more = STR_SECRET, issued = STR_INIT;
	cleanup_jwt struct jwt t = JWT_INIT, r = JWT_INIT;

	begin(&t, a, user, stamp, AUTH_TOKEN_SECONDS);
	for (size_t i = 0; i < want->count; i++) {
		struct scope one = given(a, id, &want->v[i]);

		if (one.actions)
			scopes_add(&t.access, &one);
	}
	if (jwt_sign(&t, a->keys->own, NULL, &access, e) < 0)
		return -1;
	jwt_issued_at(&t, &issued);
	str_addf(json, "{\"token\":\"%s\",\"access_token\":\"%s\",\"expires_in\":%d,\"issued_at\":\"%s\"", access.buf, access.buf,
		 AUTH_TOKEN_SECONDS, issued.buf);
	if (refresh && user) {
		begin(&r, a, user, stamp, AUTH_REFRESH_SECONDS);
		r.typ = xstrdup(TYP_REFRESH);
		if (jwt_sign(&r, a->keys->own, NULL, &more, e) < 0)
			return -1;
		str_addf(json, ",\"refresh_token\":\"%s\"", more.buf);
	}
	str_puts(json, "}\n");
	return 0;
}

int auth_issue(struct auth *a, struct identity *id, const struct scopes *want, bool refresh, struct str *json, struct err *e)
{
	char stamp[HTPASSWD_STAMP_MAX];
	const char *why;
	int found;

	if (id->bearer)
		return identity_refuse(id, "a token where a password is required", e);
	if (id->kind == IDENTITY_NOBODY) {
		if (!access_anonymous(a->cfg))
			return err_set(e, ERR_UNAUTHORIZED, "log in");
		return add_tokens(a, id, NULL, want, false, json, e);
	}
	found = auth_stamp(a, id, stamp, &why, e);
	if (found < 0)
		return -1;
	if (!found)
		return err_set(e, ERR_DENIED, "a user that the web server has logged in needs no token");
	return add_tokens(a, id, stamp, want, refresh, json, e);
}
