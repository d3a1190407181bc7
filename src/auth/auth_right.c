/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_right: authorization of an identity.
 *
 * Owns nothing. Invariant: a right needs the rules, and the token too if there is one; for a foreign token, the token
 * alone. A part of `auth`.
 */
#include "auth/auth_own.h"

#include <string.h>

#include "auth/access.h"
#include "base/pattern.h"

#define CATALOG "catalog"

_Static_assert((int)RIGHT_PULL == SCOPE_PULL && (int)RIGHT_PUSH == SCOPE_PUSH && (int)RIGHT_DELETE == SCOPE_DELETE,
	       "a right is the bit of its action in a scope");
_Static_assert((int)RIGHT_ADMIN != SCOPE_ALL, "no scope gives the right of an administrator");

/* The user that the rules see. To them a robot is not logged in: it has the rights of "@anonymous" besides its own. */
static const char *user_of(const struct identity *id)
{
	return id->kind == IDENTITY_USER && !id->robot ? id->user : NULL;
}

static bool robot_may(const struct identity *id, enum right right, const struct name *n)
{
	if (!id->robot || !(id->may & (unsigned)right))
		return false;
	for (size_t i = 0; i < id->repositories.count; i++)
		if (pattern_match(id->repositories.v[i], n->s, n->len))
			return true;
	return false;
}

bool auth_rules_grant(const struct auth *a, const struct identity *id, enum right right, const struct name *n)
{
	return id->foreign || access_may(a->cfg, user_of(id), n->s, n->len, right, NULL) || robot_may(id, right, n);
}

static bool token_grants(const struct identity *id, enum right right, const struct name *n)
{
	return !id->bearer || scopes_allow(&id->scopes, SCOPE_REPOSITORY, n->s, (unsigned)right);
}

bool auth_may(const struct auth *a, const struct identity *id, enum right right, const struct name *n)
{
	return auth_rules_grant(a, id, right, n) && token_grants(id, right, n);
}

bool auth_may_all(const struct auth *a, const struct identity *id, enum right right)
{
	return !id->bearer && access_may_all(a->cfg, user_of(id), right);
}

bool auth_may_list(const struct auth *a, const struct identity *id, const struct name *n)
{
	return auth_rules_grant(a, id, RIGHT_PULL, n);
}

bool auth_may_list_all(const struct auth *a, const struct identity *id)
{
	return id->foreign || access_may_all(a->cfg, user_of(id), RIGHT_PULL);
}

static void rules_patterns(const struct auth *a, const struct identity *id, enum right right, struct names *out)
{
	access_patterns(a->cfg, user_of(id), right, out);
	if (!id->robot || !(id->may & (unsigned)right))
		return;
	for (size_t i = 0; i < id->repositories.count; i++)
		names_add(out, id->repositories.v[i], strlen(id->repositories.v[i]));
}

void auth_may_patterns(const struct auth *a, const struct identity *id, enum right right, struct names *out)
{
	if (!id->bearer) {
		rules_patterns(a, id, right, out);
		return;
	}
	/* A token names each repository. A scope may hold another text, which might look like a pattern: ignore it. */
	for (size_t i = 0; i < id->scopes.count; i++) {
		const struct scope *one = &id->scopes.v[i];
		struct name n;

		if (one->type == SCOPE_REPOSITORY && name_parse(&n, one->name, strlen(one->name)) == 0)
			names_add(out, n.s, n.len);
	}
}

void auth_may_list_patterns(const struct auth *a, const struct identity *id, struct names *out)
{
	rules_patterns(a, id, RIGHT_PULL, out);
}

/* A token has scopes for repositories and the catalog, and none for this. A robot's line that gives it is one for all repositories. */
bool auth_is_admin(const struct auth *a, const struct identity *id)
{
	if (id->bearer || id->kind == IDENTITY_NOBODY)
		return false;
	return access_may_all(a->cfg, user_of(id), RIGHT_ADMIN) || (id->robot && (id->may & RIGHT_ADMIN));
}

/* A token names each repository, and perhaps one that it may not use in this way. */
bool auth_may_somewhere(const struct auth *a, const struct identity *id, enum right right)
{
	cleanup_names struct names patterns = NAMES_INIT;
	struct name n;

	auth_may_patterns(a, id, right, &patterns);
	if (!id->bearer)
		return patterns.count > 0;
	for (size_t i = 0; i < patterns.count; i++)
		if (name_parse(&n, patterns.v[i], strlen(patterns.v[i])) == 0 && auth_may(a, id, right, &n))
			return true;
	return false;
}

/* docker retries a refusal without detail for a minute. */
static int refuse(enum err_code code, enum right right, const struct name *n, struct err *e)
{
	if (!n)
		return err_set(e, code, "registry:" CATALOG ":*");
	return err_set(e, code, "repository:%.200s:%s", n->s, right_name(right));
}

/* 401 makes a client ask for a login: useless if it is logged in, or if there is no way to log in. */
static enum err_code turned_away(const struct auth *a, const struct identity *id)
{
	return id->kind == IDENTITY_NOBODY && config_login(a->cfg) ? ERR_UNAUTHORIZED : ERR_DENIED;
}

/* The rules allow it, the token lacks the scope. After 401 clients fetch another token; after 403, which RFC 6750, 3.1, asks
 * for, they give up. */
static enum err_code ask_for_more(struct identity *id)
{
	id->error = "insufficient_scope";
	return ERR_UNAUTHORIZED;
}

int auth_require(const struct auth *a, struct identity *id, enum right right, const struct name *n, struct err *e)
{
	if (!auth_rules_grant(a, id, right, n))
		return refuse(turned_away(a, id), right, n, e);
	return token_grants(id, right, n) ? 0 : refuse(ask_for_more(id), right, n, e);
}

int auth_require_login(const struct auth *a, struct identity *id, struct err *e)
{
	if (!a->cfg->auth.on || !config_login(a->cfg) || id->bearer || id->kind != IDENTITY_NOBODY)
		return 0;
	return err_set(e, turned_away(a, id), "log in");
}

int auth_require_catalog(const struct auth *a, struct identity *id, struct err *e)
{
	if (!id->foreign && id->kind == IDENTITY_NOBODY && !access_anonymous(a->cfg))
		return refuse(turned_away(a, id), RIGHT_PULL, NULL, e);
	if (!id->bearer || scopes_allow(&id->scopes, SCOPE_REGISTRY, CATALOG, SCOPE_ALL))
		return 0;
	return refuse(ask_for_more(id), RIGHT_PULL, NULL, e);
}

int auth_require_admin(const struct auth *a, struct identity *id, struct err *e)
{
	return auth_is_admin(a, id) ? 0 : err_set(e, turned_away(a, id), "registry:admin");
}

int auth_require_source(const struct auth *a, struct identity *id, const struct name *n, struct err *e)
{
	if (!auth_rules_grant(a, id, RIGHT_PULL, n) || token_grants(id, RIGHT_PULL, n))
		return 0;
	return refuse(ask_for_more(id), RIGHT_PULL, n, e);
}
