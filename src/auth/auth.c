/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: credentials to an identity, an identity and rules to an answer.
 *
 * Owns the password file's reader. Invariant: an identity is IDENTITY_USER only where the login was proved; no copy of a
 * password outlives the call that it came with. Knows no route and no handler.
 */
#include "auth/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/access.h"
#include "auth/htpasswd.h"
#include "auth/htpasswd_file.h"
#include "base/b64.h"
#include "base/mem.h"
#include "base/time.h"

#define AUTHORIZATION_MAX (32 * 1024)

_Static_assert(AUTH_USER_MAX == HTPASSWD_USER_MAX, "whoever may log in can have a line");

struct auth {
	const struct config *cfg;
	struct throttle *throttle;
	struct htpasswd *htpasswd;      /* NULL: none is configured */
};

struct auth *auth_open(const struct config *cfg, struct throttle *t)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->cfg = cfg;
	a->throttle = t;
	if (cfg->auth.on && cfg->auth.htpasswd[0])
		a->htpasswd = htpasswd_open(cfg->auth.htpasswd);
	return a;
}

void auth_close(struct auth **a)
{
	if (!*a)
		return;
	htpasswd_close(&(*a)->htpasswd);
	free(*a);
	*a = NULL;
}

bool auth_on(const struct auth *a)
{
	return a->cfg->auth.on;
}

static int refuse(struct identity *id, const char *why, struct err *e)
{
	id->kind = IDENTITY_NOBODY;
	id->refused = why;
	return err_set(e, ERR_UNAUTHORIZED, "%s", "");
}

/* A request to log in as this user, of whom nothing is proved yet. */
static int set_user(struct identity *id, const char *user, size_t len)
{
	if (!htpasswd_user_ok(user, len))
		return -1;
	memcpy(id->user, user, len);
	id->user[len] = '\0';
	return 0;
}

static int by_password(struct auth *a, const struct credentials *c, const char *password, size_t len, struct identity *id,
		       struct err *e)
{
	int answer = htpasswd_check(a->htpasswd, id->user, password, len, e);

	switch (answer) {
	case HTPASSWD_RIGHT:
		id->kind = IDENTITY_USER;
		return 0;
	case HTPASSWD_WRONG:
		throttle_fail(a->throttle, c->remote, time_now_usec());
		return refuse(id, "wrong password", e);
	case HTPASSWD_UNKNOWN_USER:
		/* Whoever types a password where the name belongs shall not find it in the log. */
		id->user[0] = '\0';
		throttle_fail(a->throttle, c->remote, time_now_usec());
		return refuse(id, "unknown user", e);
	default:
		id->refused = "the htpasswd file cannot be read";
		return -1;
	}
}

/* RFC 7617: base64 of "user:password". */
static int basic(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e)
{
	cleanup_str struct str pair = STR_INIT;
	const char *colon;
	int rc;

	/* All the room at once: a buffer that grows would leave parts of the password where it was before. */
	str_add(&pair, text, strlen(text));
	str_reset(&pair);
	if (b64_decode(B64_LOGIN, text, strlen(text), &pair) < 0)
		rc = refuse(id, "not base64", e);
	else if (!(colon = memchr(pair.buf, ':', pair.len)))
		rc = refuse(id, "no colon", e);
	else if (pair.len == 1)
		rc = 0;         /* neither user nor password: podman sends it for "not logged in" */
	else if (set_user(id, pair.buf, (size_t)(colon - pair.buf)) < 0)
		rc = refuse(id, "no user's name", e);
	else if (!a->htpasswd)
		rc = refuse(id, "no logins by password here", e);
	else
		rc = by_password(a, c, colon + 1, pair.len - (size_t)(colon + 1 - pair.buf), id, e);
	explicit_bzero(pair.buf, pair.len);
	return rc;
}

/* The ways to log in by the header. Each gets what stands behind the scheme, without spaces at its ends. */
static const struct {
	const char *name;
	int (*identify)(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);
} schemes[] = {
	{ "Basic", basic },
};

static int by_header(struct auth *a, const struct credentials *c, struct identity *id, struct err *e)
{
	size_t len = strcspn(c->authorization, " ");
	const char *text = c->authorization + len;

	if (strlen(c->authorization) > AUTHORIZATION_MAX)
		return refuse(id, "too long", e);
	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
		if (strlen(schemes[i].name) == len && strncasecmp(schemes[i].name, c->authorization, len) == 0)
			return schemes[i].identify(a, c, text, id, e);
	return refuse(id, "no scheme that is known", e);
}

int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	*id = (struct identity){ .kind = IDENTITY_NOBODY };
	*retry_after = 0;
	if (!auth_on(a))
		return 0;
	if (a->cfg->auth.remote_user && c->remote_user && *c->remote_user) {
		if (set_user(id, c->remote_user, strlen(c->remote_user)) < 0)
			return refuse(id, "REMOTE_USER is no user's name", e);
		id->kind = IDENTITY_USER;
		return 0;
	}
	if (!c->authorization)
		return 0;
	*retry_after = throttle_wait(a->throttle, c->remote, time_now_usec());
	if (!*retry_after)
		return by_header(a, c, id, e);
	id->refused = "too many wrong passwords from this address";
	return err_set(e, ERR_TOOMANYREQUESTS, "wrong passwords; come again in %u seconds", *retry_after);
}

static const char *user_of(const struct identity *id)
{
	return id->kind == IDENTITY_USER ? id->user : NULL;
}

bool auth_may(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n)
{
	return access_may(a->cfg, user_of(id), n->s, n->len, right, NULL);
}

bool auth_may_all(const struct auth *a, const struct identity *id, enum config_right right)
{
	return access_may_all(a->cfg, user_of(id), right);
}

/* Who is logged in, or cannot log in, would only be asked in vain. */
static int turn_away(const struct auth *a, const struct identity *id, struct err *e)
{
	bool ask = id->kind == IDENTITY_NOBODY && config_login(a->cfg);

	return err_set(e, ask ? ERR_UNAUTHORIZED : ERR_DENIED, "%s", "");
}

int auth_require(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n, struct err *e)
{
	return auth_may(a, id, right, n) ? 0 : turn_away(a, id, e);
}

int auth_require_login(const struct auth *a, const struct identity *id, struct err *e)
{
	if (!auth_on(a) || !config_login(a->cfg) || id->kind != IDENTITY_NOBODY)
		return 0;
	return turn_away(a, id, e);
}

int auth_require_catalog(const struct auth *a, const struct identity *id, struct err *e)
{
	return id->kind != IDENTITY_NOBODY || access_anonymous(a->cfg) ? 0 : turn_away(a, id, e);
}

void auth_challenge(const struct auth *a, struct str *out)
{
	str_addf(out, "Basic realm=\"%s\"", a->cfg->auth.realm);
}

int auth_check_config(const struct config *cfg, struct str *msg)
{
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	struct stat st;

	if (!cfg->auth.on || !cfg->auth.htpasswd[0])
		return 0;
	return htpasswd_file_read(&f, cfg->auth.htpasswd, &st, msg);
}
