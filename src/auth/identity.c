/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: the result of a login.
 *
 * Owns nothing. Knows neither how a login is proved, nor what the rules grant.
 */
#include "auth/identity.h"

#include <string.h>

void identity_release(struct identity *id)
{
	scopes_release(&id->scopes);
	names_release(&id->repositories);
}

int identity_refuse(struct identity *id, const char *why, struct err *e)
{
	id->kind = IDENTITY_NOBODY;
	id->refused = why;
	return err_set(e, ERR_UNAUTHORIZED, "the login is refused");
}

int identity_set_user(struct identity *id, const char *user, size_t len)
{
	if (!htpasswd_user_ok(user, len))
		return -1;
	memcpy(id->user, user, len);
	id->user[len] = '\0';
	return 0;
}

void identity_set_robot(struct identity *id, const struct robot *r)
{
	id->kind = IDENTITY_USER;
	id->robot = true;
	id->may = r->may;
	names_release(&id->repositories);
	for (size_t i = 0; i < r->repositories.count; i++)
		names_add(&id->repositories, r->repositories.v[i], strlen(r->repositories.v[i]));
}
