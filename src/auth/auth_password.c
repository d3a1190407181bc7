/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_password: logins by a user's password or a robot's secret.
 *
 * Owns nothing. Invariant: an identity is IDENTITY_USER only where the password was right; no copy of a password
 * outlives the call that it came with. A part of `auth`.
 */
#include "auth/auth_own.h"

#include <string.h>
#include <time.h>

#include "base/b64.h"
#include "base/time.h"

static int wrong(struct auth *a, const struct credentials *c, const char *why, struct identity *id, struct err *e)
{
	throttle_fail(a->throttle, c->remote, time_now_usec());
	return identity_refuse(id, why, e);
}

static int check_robot(struct auth *a, const struct credentials *c, const char *secret, size_t len, struct identity *id,
		       struct err *e)
{
	const struct robot *r;

	if (robots_find(a->robots, id->user, &r, e) < 0) {
		id->refused = "the robots file cannot be read";
		return -1;
	}
	if (!r || !robot_has_secret(r, secret, len))
		return wrong(a, c, r ? "wrong secret" : "unknown robot", id, e);
	if (robot_expired(r, (int64_t)time(NULL)))
		return identity_refuse(id, "the robot has expired", e);
	identity_set_robot(id, r);
	return 0;
}

int auth_stamp(struct auth *a, struct identity *id, char stamp[HTPASSWD_STAMP_MAX], const char **why, struct err *e)
{
	const struct robot *r;
	int found;

	stamp[0] = '\0';
	*why = "its user no longer exists";
	if (!a->robots || !robot_is(id->user))
		return a->htpasswd ? htpasswd_stamp(a->htpasswd, id->user, stamp, e) : 0;
	found = robots_find(a->robots, id->user, &r, e);
	if (found == 1 && robot_expired(r, (int64_t)time(NULL))) {
		*why = "the robot has expired";
		return 0;
	}
	if (found != 1)
		return found;
	/* The secret is random, so a part of its hash reveals nothing. */
	memcpy(stamp, r->hash, HTPASSWD_STAMP_MAX / 2);
	stamp[HTPASSWD_STAMP_MAX / 2] = '\0';
	identity_set_robot(id, r);
	return 1;
}

static int check(struct auth *a, const struct credentials *c, const char *password, size_t len, struct identity *id, struct err *e)
{
	int answer;

	if (a->robots && robot_is(id->user))
		return check_robot(a, c, password, len, id, e);
	if (!a->htpasswd)
		return identity_refuse(id, "logins by password are off", e);
	answer = htpasswd_check(a->htpasswd, id->user, password, len, e);

	switch (answer) {
	case HTPASSWD_RIGHT:
		id->kind = IDENTITY_USER;
		return 0;
	case HTPASSWD_WRONG:
		return wrong(a, c, "wrong password", id, e);
	case HTPASSWD_UNKNOWN_USER:
		/* A user may have typed the password into the field of the name: it must not be logged. */
		explicit_bzero(id->user, sizeof(id->user));
		return wrong(a, c, "unknown user", id, e);
	default:
		id->refused = "the htpasswd file cannot be read";
		return -1;
	}
}

int auth_may_try(struct auth *a, const struct credentials *c, struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = throttle_wait(a->throttle, c->remote, time_now_usec());
	if (!*retry_after)
		return 0;
	id->refused = "too many wrong passwords from this address";
	return err_set(e, ERR_TOOMANYREQUESTS, "too many wrong passwords; try again in %u seconds", *retry_after);
}

/* RFC 7617: base64 of "user:password". */
int auth_basic(struct auth *a, const struct credentials *c, const char *text, struct identity *id, struct err *e)
{
	cleanup_str struct str pair = STR_SECRET;
	const char *colon;

	if (b64_decode(B64_LOGIN, text, strlen(text), &pair) < 0)
		return identity_refuse(id, "not base64", e);
	colon = memchr(pair.buf, ':', pair.len);
	if (!colon)
		return identity_refuse(id, "no colon", e);
	if (pair.len == 1)
		return 0;       /* neither user nor password: podman sends this when it is not logged in */
	if (identity_set_user(id, pair.buf, (size_t)(colon - pair.buf)) < 0)
		return identity_refuse(id, "not a valid user name", e);
	return check(a, c, colon + 1, pair.len - (size_t)(colon + 1 - pair.buf), id, e);
}

int auth_by_password(struct auth *a, const struct credentials *c, const char *user, const char *password, size_t len,
		     struct identity *id, unsigned *retry_after, struct err *e)
{
	*retry_after = 0;
	if (auth_may_try(a, c, id, retry_after, e) < 0)
		return -1;
	if (identity_set_user(id, user, strlen(user)) < 0)
		return identity_refuse(id, "not a valid user name", e);
	return check(a, c, password, len, id, e);
}
