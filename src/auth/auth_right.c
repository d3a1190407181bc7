/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_right: may they?
 *
 * Owns nothing. Invariant: what is allowed here is given by the rules, and by the token as well where there is one; a
 * foreign token is the rule itself. A part of `auth`.
 */
#include "auth/auth_own.h"

#include "auth/access.h"

#define CATALOG "catalog"

_Static_assert((int)RIGHT_PULL == SCOPE_PULL && (int)RIGHT_PUSH == SCOPE_PUSH && (int)RIGHT_DELETE == SCOPE_DELETE,
	       "a right is the bit of its action in a scope");

static const char *user_of(const struct identity *id)
{
	return id->kind == IDENTITY_USER ? id->user : NULL;
}

static bool rules_give(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n)
{
	return id->foreign || access_may(a->cfg, user_of(id), n->s, n->len, right, NULL);
}

static bool token_gives(const struct identity *id, enum config_right right, const struct name *n)
{
	return !id->bearer || scopes_allow(&id->scopes, SCOPE_REPOSITORY, n->s, (unsigned)right);
}

bool auth_may(const struct auth *a, const struct identity *id, enum config_right right, const struct name *n)
{
	return rules_give(a, id, right, n) && token_gives(id, right, n);
}

bool auth_may_all(const struct auth *a, const struct identity *id, enum config_right right)
{
	return !id->bearer && access_may_all(a->cfg, user_of(id), right);
}

bool auth_may_list(const struct auth *a, const struct identity *id, const struct name *n)
{
	return rules_give(a, id, RIGHT_PULL, n);
}

bool auth_may_list_all(const struct auth *a, const struct identity *id)
{
	return id->foreign || access_may_all(a->cfg, user_of(id), RIGHT_PULL);
}

/* Who is logged in, or cannot log in, would only be asked in vain. */
static int turn_away(const struct auth *a, const struct identity *id, struct err *e)
{
	bool ask = id->kind == IDENTITY_NOBODY && config_login(a->cfg);

	return err_set(e, ask ? ERR_UNAUTHORIZED : ERR_DENIED, "%s", "");
}

/* A token for more would do: after 401 clients fetch one, after 403 they give up (RFC 6750, 3.1, says 403). */
static int ask_for_more(struct identity *id, struct err *e)
{
	id->error = "insufficient_scope";
	return err_set(e, ERR_UNAUTHORIZED, "%s", "");
}

int auth_require(const struct auth *a, struct identity *id, enum config_right right, const struct name *n, struct err *e)
{
	if (!rules_give(a, id, right, n))
		return turn_away(a, id, e);
	return token_gives(id, right, n) ? 0 : ask_for_more(id, e);
}

int auth_require_login(const struct auth *a, struct identity *id, struct err *e)
{
	if (!auth_on(a) || !config_login(a->cfg) || id->bearer || id->kind != IDENTITY_NOBODY)
		return 0;
	return turn_away(a, id, e);
}

int auth_require_catalog(const struct auth *a, struct identity *id, struct err *e)
{
	if (!id->foreign && id->kind == IDENTITY_NOBODY && !access_anonymous(a->cfg))
		return turn_away(a, id, e);
	return !id->bearer || scopes_allow(&id->scopes, SCOPE_REGISTRY, CATALOG, SCOPE_ALL) ? 0 : ask_for_more(id, e);
}

int auth_require_source(const struct auth *a, struct identity *id, const struct name *n, struct err *e)
{
	return !rules_give(a, id, RIGHT_PULL, n) || token_gives(id, RIGHT_PULL, n) ? 0 : ask_for_more(id, e);
}
