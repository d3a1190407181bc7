/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth: from credentials to an identity.
 *
 * Owns the readers of the htpasswd and robots files, and the table of schemes. Invariant: an identity is IDENTITY_USER
 * only if the login was proved. Knows no route and no handler. Passwords are auth_password's, tokens auth_token's, rights
 * auth_right's.
 */
#include "auth/auth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "auth/auth_own.h"
#include "auth/htpasswd_edit.h"
#include "auth/htpasswd_file.h"
#include "auth/pwhash.h"
#include "base/b64.h"
#include "base/log.h"
#include "base/mem.h"

#define AUTHORIZATION_MAX (32 * 1024)

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
	if (k)
		a->tokens = memo_open();
	return a;
}

void auth_close(struct auth **a)
{
	if (!*a)
		return;
	htpasswd_close(&(*a)->htpasswd);
	robots_close(&(*a)->robots);
	memo_close(&(*a)->tokens);
	hmac_close(&(*a)->session_key);
	free(*a);
	*a = NULL;
}

bool auth_on(const struct auth *a)
{
	return a->cfg->auth.on;
}

/* The schemes of the Authorization header, and the one of a cookie, which no header can name. */
static const struct {
	const char *name;       /* NULL: a cookie */
	bool guessed;           /* a client could guess the secret: failures are counted by address */
	int (*identify)(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e);
} schemes[] = {
	{ "Basic", true, auth_basic },
	{ "Bearer", false, auth_bearer },
	{ NULL, false, auth_cookie },
};

static int by_header(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	size_t len = strcspn(c->authorization, " ");
	const char *text = c->authorization + len;

	if (strlen(c->authorization) > AUTHORIZATION_MAX)
		return identity_refuse(id, "too long", e);
	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (!schemes[i].name || strlen(schemes[i].name) != len || strncasecmp(schemes[i].name, c->authorization, len) != 0)
			continue;
		if (schemes[i].guessed && auth_may_try(a, c, id, retry_after, e) < 0)
			return -1;
		return schemes[i].identify(a, c, text, id, e);
	}
	return identity_refuse(id, "unknown scheme", e);
}

static int by_cookie(struct auth *a, const struct credentials *c, struct identity *id, struct err *e)
{
	size_t i = 0;

	while (schemes[i].name)
		i++;
	return schemes[i].identify(a, c, c->cookie, id, e);
}

int auth_identify(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = 0;
	if (!auth_on(a))
		return 0;
	if (a->cfg->auth.remote_user && c->remote_user && *c->remote_user) {
		if (identity_set_user(id, c->remote_user, strlen(c->remote_user)) < 0 || (a->robots && robot_is(id->user)))
			return identity_refuse(id, "REMOTE_USER is not a valid user name", e);
		id->kind = IDENTITY_USER;
		return 0;
	}
	if (c->authorization)
		return by_header(a, c, id, retry_after, e);
	return c->cookie && config_sessions(a->cfg) ? by_cookie(a, c, id, e) : 0;
}

void auth_challenge(const struct auth *a, const struct challenge *c, struct str *out)
{
	challenge_add(a->cfg, c, out);
}

#define FIRST_USER "docker"
#define FIRST_PASSWORD 16       /* random bytes */

void auth_first_user(const struct config *cfg)
{
	const struct htpasswd_owner owner = { .uid = (uid_t)-1, .gid = (gid_t)-1 };
	cleanup_str struct str password = STR_SECRET, hash = STR_INIT;
	const char *file = cfg->auth.htpasswd;
	unsigned char bytes[FIRST_PASSWORD];
	struct err e = ERR_INIT;
	struct log_event ev;
	struct stat st;

	if (!cfg->auth.on || !file[0] || lstat(file, &st) == 0 || errno != ENOENT)
		return;
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return;
	b64_encode(B64_URL, bytes, sizeof(bytes), &password);
	if (pwhash_make(PWHASH_BCRYPT, password.buf, &hash) == 0 &&
	    htpasswd_edit(file, HTPASSWD_ADD, FIRST_USER, hash.buf, &owner, &e) == 1) {
		log_audit(&ev, "first_user");
		log_str(&ev, "file", file);
		log_str(&ev, "user", FIRST_USER);
		log_str(&ev, "password", password.buf);
		log_end(&ev);
	}
	err_release(&e);
}

int auth_check_config(const struct config *cfg, struct str *warn, struct str *msg)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_keyring struct keyring *keys = NULL;
	cleanup_htpasswd_file struct htpasswd_file f = HTPASSWD_FILE_INIT;
	cleanup_robots_file struct robots_file robots = ROBOTS_FILE_INIT;

	if (!cfg->auth.on)
		return 0;
	if (cfg->auth.robots[0] && robots_read(&robots, cfg->auth.robots, NULL, msg) < 0)
		return -1;
	if (cfg->auth.htpasswd[0] && htpasswd_file_read(&f, cfg->auth.htpasswd, NULL, warn, msg) < 0)
		return -1;
	keys = keyring_open(cfg, false, warn, &e);
	if (!keys)
		str_addf(msg, "%s%s", msg->len ? "\n" : "", e.detail);
	return keys ? 0 : -1;
}
