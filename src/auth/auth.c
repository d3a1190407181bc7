/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: credentials to an identity.
 *
 * Owns the password file's reader. Invariant: an identity is IDENTITY_USER only where the login was proved; no copy of a
 * password outlives the call that it came with. Knows no route and no handler; rights are auth_right's, tokens auth_token's.
 */
#include "auth/auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "auth/auth_own.h"
#include "auth/htpasswd.h"
#include "auth/htpasswd_file.h"
#include "base/b64.h"
#include "base/mem.h"
#include "base/time.h"

#define AUTHORIZATION_MAX (32 * 1024)

_Static_assert(AUTH_USER_MAX == HTPASSWD_USER_MAX, "whoever may log in can have a line");

struct auth *auth_open(const struct config *cfg, const struct keyring *k, struct throttle *t)
{
	struct auth *a = xcalloc(1, sizeof(*a));

	a->cfg = cfg;
	a->keys = k;
	a->throttle = t;
	if (cfg->auth.on && cfg->auth.htpasswd[0])
		a->htpasswd = htpasswd_open(cfg->auth.htpasswd);
	if (cfg->auth.on && cfg->auth.robots[0])
		a->robots = robots_open(cfg->auth.robots);
	return a;
}

void auth_close(struct auth **a)
{
	if (!*a)
		return;
	htpasswd_close(&(*a)->htpasswd);
	robots_close(&(*a)->robots);
	free(*a);
	*a = NULL;
}

bool auth_on(const struct auth *a)
{
	return a->cfg->auth.on;
}

void identity_release(struct identity *id)
{
	scopes_release(&id->scopes);
	names_release(&id->repositories);
}

int auth_refuse(struct identity *id, const char *why, struct err *e)
{
	id->kind = IDENTITY_NOBODY;
	id->refused = why;
	return err_set(e, ERR_UNAUTHORIZED, "the login is refused");
}

/* A request to log in as this user, of whom nothing is proved yet. */
int auth_set_user(struct identity *id, const char *user, size_t len)
{
	if (!htpasswd_user_ok(user, len))
		return -1;
	memcpy(id->user, user, len);
	id->user[len] = '\0';
	return 0;
}

static int wrong(struct auth *a, const struct credentials *c, const char *why, struct identity *id, struct err *e)
{
	throttle_fail(a->throttle, c->remote, time_now_usec());
	return auth_refuse(id, why, e);
}

static void set_robot(struct identity *id, const struct robot *r)
{
	id->kind = IDENTITY_USER;
	id->robot = true;
	id->may = r->may;
	names_release(&id->repositories);
	for (size_t i = 0; i < r->repositories.count; i++)
		names_add(&id->repositories, r->repositories.v[i], strlen(r->repositories.v[i]));
}

static int check_robot(struct auth *a, const struct credentials *c, const char *secret, size_t len, struct identity *id,
		       struct err *e)
{
	const struct robot *r;

	if (robots_find(a->robots, id->user, &r, e) < 0) {
		id->refused = "the file of robots cannot be read";
		return -1;
	}
	if (!r || !robot_has_secret(r, secret, len))
		return wrong(a, c, r ? "wrong secret" : "unknown robot", id, e);
	if (robot_expired(r, (int64_t)time(NULL)))
		return auth_refuse(id, "the robot's time is over", e);
	set_robot(id, r);
	return 0;
}

int auth_stamp(struct auth *a, struct identity *id, char stamp[HTPASSWD_STAMP_MAX], const char **why, struct err *e)
{
	const struct robot *r;
	int found;

	stamp[0] = '\0';
	*why = "its user is not there any more";
	if (!a->robots || !robot_is(id->user))
		return a->htpasswd ? htpasswd_stamp(a->htpasswd, id->user, stamp, e) : 0;
	found = robots_find(a->robots, id->user, &r, e);
	if (found == 1 && robot_expired(r, (int64_t)time(NULL))) {
		*why = "the robot's time is over";
		return 0;
	}
	if (found != 1)
		return found;
	/* Of random bits, so a part of the hash tells nothing. */
	memcpy(stamp, r->hash, HTPASSWD_STAMP_MAX / 2);
	stamp[HTPASSWD_STAMP_MAX / 2] = '\0';
	set_robot(id, r);
	return 1;
}

static int check(struct auth *a, const struct credentials *c, const char *password, size_t len, struct identity *id, struct err *e)
{
	int answer;

	if (a->robots && robot_is(id->user))
		return check_robot(a, c, password, len, id, e);
	if (!a->htpasswd)
		return auth_refuse(id, "no logins by password here", e);
	answer = htpasswd_check(a->htpasswd, id->user, password, len, e);

	switch (answer) {
	case HTPASSWD_RIGHT:
		id->kind = IDENTITY_USER;
		return 0;
	case HTPASSWD_WRONG:
		return wrong(a, c, "wrong password", id, e);
	case HTPASSWD_UNKNOWN_USER:
		/* Whoever types a password where the name belongs shall not find it in the log. */
		explicit_bzero(id->user, sizeof(id->user));
		return wrong(a, c, "unknown user", id, e);
	default:
		id->refused = "the htpasswd file cannot be read";
		return -1;
	}
}

/* RFC 7617: base64 of "user:password". */
static int basic(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e)
{
	cleanup_str struct str pair = STR_SECRET;
	const char *colon;

	if (b64_decode(B64_LOGIN, text, strlen(text), &pair) < 0)
		return auth_refuse(id, "not base64", e);
	colon = memchr(pair.buf, ':', pair.len);
	if (!colon)
		return auth_refuse(id, "no colon", e);
	if (pair.len == 1)
		return 0;       /* neither user nor password: podman sends it for "not logged in" */
	if (auth_set_user(id, pair.buf, (size_t)(colon - pair.buf)) < 0)
		return auth_refuse(id, "no user's name", e);
	return check(a, c, colon + 1, pair.len - (size_t)(colon + 1 - pair.buf), id, e);
}

/* The ways to log in by the header. Each gets what stands behind the scheme, without spaces at its ends. */
static const struct {
	const char *name;
	bool guessed;           /* what somebody could find by trying: who is wrong too often has to wait */
	int (*identify)(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);
} schemes[] = {
	{ "Basic", true, basic },
	{ "Bearer", false, auth_bearer },
};

/* Whether this address may try: 0, or -1 TOOMANYREQUESTS. */
static int may_try(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = throttle_wait(a->throttle, c->remote, time_now_usec());
	if (!*retry_after)
		return 0;
	id->refused = "too many wrong passwords from this address";
	return err_set(e, ERR_TOOMANYREQUESTS, "wrong passwords; come again in %u seconds", *retry_after);
}

static int by_header(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	size_t len = strcspn(c->authorization, " ");
	const char *text = c->authorization + len;

	if (strlen(c->authorization) > AUTHORIZATION_MAX)
		return auth_refuse(id, "too long", e);
	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (strlen(schemes[i].name) != len || strncasecmp(schemes[i].name, c->authorization, len) != 0)
			continue;
		if (schemes[i].guessed && may_try(a, c, id, retry_after, e) < 0)
			return -1;
		return schemes[i].identify(a, c, text, id, e);
	}
	return auth_refuse(id, "no scheme that is known", e);
}

int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = 0;
	if (!auth_on(a))
		return 0;
	if (a->cfg->auth.remote_user && c->remote_user && *c->remote_user) {
		if (auth_set_user(id, c->remote_user, strlen(c->remote_user)) < 0 || (a->robots && robot_is(id->user)))
			return auth_refuse(id, "REMOTE_USER is no user's name", e);
		id->kind = IDENTITY_USER;
		return 0;
	}
	return c->authorization ? by_header(a, c, id, retry_after, e) : 0;
}

int auth_by_password(struct auth *a, const struct credentials *c, const char *user, const char *password, size_t len,
		     struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = 0;
	if (may_try(a, c, id, retry_after, e) < 0)
		return -1;
	if (auth_set_user(id, user, strlen(user)) < 0)
		return auth_refuse(id, "no user's name", e);
	return check(a, c, password, len, id, e);
}

void auth_challenge(const struct auth *a, const struct challenge *c, struct str *out)
{
	challenge_add(a->cfg, c, out);
}

int auth_check_config(const struct config *cfg, struct str *warn, struct str *msg)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_keyring struct keyring *keys = NULL;
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	cleanup_robots_file struct robots_file robots = ROBOTS_FILE_INIT;
	struct stat st;

	if (!cfg->auth.on)
		return 0;
	if (cfg->auth.robots[0] && robots_read(&robots, cfg->auth.robots, &st, msg) < 0)
		return -1;
	if (cfg->auth.htpasswd[0] && htpasswd_file_read(&f, cfg->auth.htpasswd, &st, msg) < 0)
		return -1;
	keys = keyring_open(cfg, false, warn, &e);
	if (!keys)
		str_addf(msg, "%s%s", msg->len ? "\n" : "", e.detail);
	return keys ? 0 : -1;
}
