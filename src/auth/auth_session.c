/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_session: sessions of browsers (doc/AUTH.md, "Browsers").
 *
 * Owns the form of a cookie: "ID.EXPIRES.USER.MAC": a UUID, seconds since the epoch, the user's name in base64url, and an HMAC-SHA256 over
 * these and the stamp of the user's line in the htpasswd or robots file, which the cookie does not reveal. Invariant: a cookie is accepted only
 * while that line does not change, before it expires, and unless it was ended. A part of `auth`.
 */
#include "auth/auth_own.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/b64.h"
#include "os/file.h"
#include "store/session.h"

#define PURPOSE "berth session 1"       /* an HMAC under this key is nothing else */

/* The key, read when it is first needed: 1, 0 if there is none, -1 with *e. */
static int need_key(struct auth *a, struct store *st, bool make, struct err *e)
{
	unsigned char key[SESSION_KEY_LEN];
	int found;

	if (a->session_key)
		return 1;
	found = session_key(st, make, key, e);
	if (found == 1)
		a->session_key = hmac_open(key, sizeof(key));
	explicit_bzero(key, sizeof(key));
	return found;
}

/* The part of a cookie that is signed, and the signature. */
static void add_head(const struct session *s, const char *user, struct str *out)
{
	str_addf(out, "%s.%" PRIu64 ".", s->id.s, s->expires);
	b64_encode(B64_URL, user, strlen(user), out);
}

static void add_mac(struct auth *a, const char *head, const char *stamp, struct str *out)
{
	cleanup_str struct str text = STR_SECRET;
	unsigned char mac[DIGEST_MAC_LEN];

	str_addf(&text, PURPOSE "\n%s\n%s", head, stamp);
	hmac_of(a->session_key, mac, text.buf, text.len);
	b64_encode(B64_URL, mac, sizeof(mac), out);
}

/* In a time that does not tell where they differ. */
static bool same(const char *a, const char *b)
{
	size_t len = strlen(a), i;
	unsigned differs = 0;

	if (strlen(b) != len)
		return false;
	for (i = 0; i < len; i++)
		differs |= (unsigned char)a[i] ^ (unsigned char)b[i];
	return differs == 0;
}

/* The fields of a cookie; user gets the name. Nothing is proved yet. */
static bool parse(const char *cookie, struct session *s, struct str *user)
{
	const char *expires = strchr(cookie, '.'), *name = expires ? strchr(expires + 1, '.') : NULL, *mac = name ? strchr(name + 1, '.') : NULL;

	if (!mac || strlen(cookie) > AUTH_SESSION_MAX)
		return false;
	if (uuid_parse(&s->id, cookie, (size_t)(expires - cookie)) < 0 ||
	    str_parse_u64(expires + 1, (size_t)(name - expires - 1), &s->expires) < 0 ||
	    b64_decode(B64_URL, name + 1, (size_t)(mac - name - 1), user) < 0 || strlen(user->buf) != user->len)
		return false;
	digest_of(&s->user, DIGEST_SHA256, user->buf, user->len);
	return true;
}

/*
 * Whose session this is: 1 with the user in id, 0 for none, -1 with *e where a file cannot be read.
 * A cookie that is none, or none any more, is no refused login: its bearer is not logged in.
 */
static int check(struct auth *a, struct store *st, const char *cookie, struct session *s, struct identity *id, struct err *e)
{
	cleanup_str struct str user = STR_INIT, head = STR_INIT, mac = STR_SECRET;
	uint64_t now = (uint64_t)time(NULL);
	char stamp[HTPASSWD_STAMP_MAX];
	const char *why;
	int found;

	if (!parse(cookie, s, &user) || s->expires <= now || s->expires > now + AUTH_SESSION_SECONDS + AUTH_SESSION_SKEW ||
	    identity_set_user(id, user.buf, user.len) < 0)
		return 0;
	found = need_key(a, st, false, e);
	if (found == 1)
		found = auth_stamp(a, id, stamp, &why, e);
	if (found < 1)
		return found;
	add_head(s, id->user, &head);
	add_mac(a, head.buf, stamp, &mac);
	if (!same(strrchr(cookie, '.') + 1, mac.buf) || strncmp(cookie, head.buf, head.len) != 0 || cookie[head.len] != '.')
		return 0;
	found = session_has_ended(st, s, e);
	return found < 0 ? -1 : !found;
}

int auth_cookie(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e)
{
	struct session s;
	int found = check(a, c->store, text, &s, id, e);

	if (found == 1) {
		id->kind = IDENTITY_USER;
		id->session = true;
		return 0;
	}
	/* A robot's rights may be set already. */
	identity_release(id);
	*id = (struct identity)IDENTITY_INIT;
	if (found < 0)
		id->refused = "the htpasswd or robots file, or the store, cannot be read";
	return found;
}

bool auth_has_sessions(const struct auth *a, const struct store *st)
{
	return config_sessions(a->cfg) && session_possible(st);
}

static int none_here(struct err *e)
{
	return err_set(e, ERR_NAME_UNKNOWN, "nobody can log in here with a form");
}

int auth_session_begin(struct auth *a, struct store *st, struct identity *id, struct str *cookie, struct err *e)
{
	struct session s = { .expires = (uint64_t)time(NULL) + AUTH_SESSION_SECONDS };
	cleanup_str struct str head = STR_INIT;
	unsigned char random[16];
	char stamp[HTPASSWD_STAMP_MAX];
	const char *why;
	size_t ended;
	int found;

	if (!auth_has_sessions(a, st))
		return none_here(e);
	digest_of(&s.user, DIGEST_SHA256, id->user, strlen(id->user));
	if (session_tidy(st, (uint64_t)time(NULL), &s.user, &ended, e) < 0)
		return -1;
	if (ended >= SESSION_ENDED_MAX)
		return err_set(e, ERR_TOOMANYREQUESTS, "%zu sessions of this user have ended in the last hours; try again later", ended);
	found = need_key(a, st, true, e);
	if (found == 1)
		found = auth_stamp(a, id, stamp, &why, e);
	if (found < 1)
		return found < 0 ? -1 : none_here(e);
	os_random(random, sizeof(random));
	uuid_from_random(&s.id, random);
	add_head(&s, id->user, &head);
	str_addf(cookie, "%s.", head.buf);
	add_mac(a, head.buf, stamp, cookie);
	id->session = true;
	return 0;
}

int auth_session_end(struct auth *a, struct store *st, const char *cookie, struct err *e)
{
	struct identity id = IDENTITY_INIT;
	struct session s;
	int found;

	if (!auth_has_sessions(a, st))
		return 0;
	found = check(a, st, cookie, &s, &id, e);
	identity_release(&id);
	return found == 1 ? session_end(st, &s, e) : found;
}
