/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access: the rules, applied to a user and a repository.
 *
 * Owns nothing. Knows neither how a login is proved, nor what is stored.
 */
#include "auth/access.h"

#include <string.h>

#include "base/pattern.h"

static bool has(const struct names *list, const char *s)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

static bool in_group(const struct config_auth *a, const char *group, const char *user)
{
	for (size_t i = 0; i < a->ngroups; i++)
		if (strcmp(a->groups[i].name, group) == 0)
			return has(&a->groups[i].users, user);
	return false;
}

/* No user's name begins with '@': logins and the configuration refuse such a name. */
static bool applies_to(const struct config_auth *a, const struct config_rule *r, const char *user)
{
	for (size_t i = 0; i < r->who.count; i++) {
		const char *who = r->who.v[i];

		if (strcmp(who, "@anonymous") == 0)
			return true;
		if (!user)
			continue;
		if (who[0] != '@' ? strcmp(who, user) == 0 : strcmp(who, "@users") == 0 || in_group(a, who + 1, user))
			return true;
	}
	return false;
}

/* Everybody may do everything where nobody can log in, except what is for administrators; else whoever is logged in may. */
static bool without_rules(const struct config_auth *a, const char *user, enum right right)
{
	return a->on ? user != NULL : right != RIGHT_ADMIN;
}

bool access_may(const struct config *c, const char *user, const char *name, size_t len, enum right right,
		const struct config_rule **rule)
{
	const struct config_auth *a = &c->auth;

	if (rule)
		*rule = NULL;
	if (!a->on || !a->ruled)
		return without_rules(a, user, right);
	for (size_t i = 0; i < a->nrules; i++) {
		const struct config_rule *r = &a->rules[i];

		if (!(r->may & right) || !pattern_match(r->repo, name, len) || !applies_to(a, r, user))
			continue;
		if (rule)
			*rule = r;
		return true;
	}
	return false;
}

bool access_may_all(const struct config *c, const char *user, enum right right)
{
	const struct config_auth *a = &c->auth;

	if (!a->on || !a->ruled)
		return without_rules(a, user, right);
	for (size_t i = 0; i < a->nrules; i++)
		if ((a->rules[i].may & right) && pattern_is_all(a->rules[i].repo) && applies_to(a, &a->rules[i], user))
			return true;
	return false;
}

void access_patterns(const struct config *c, const char *user, enum right right, struct names *out)
{
	const struct config_auth *a = &c->auth;

	if (!a->on || !a->ruled) {
		if (access_may_all(c, user, right))
			names_add(out, "**", 2);
		return;
	}
	for (size_t i = 0; i < a->nrules; i++)
		if ((a->rules[i].may & right) && applies_to(a, &a->rules[i], user))
			names_add(out, a->rules[i].repo, strlen(a->rules[i].repo));
}

bool access_anonymous(const struct config *c)
{
	if (!c->auth.on)
		return true;
	for (size_t i = 0; i < c->auth.nrules; i++)
		if (has(&c->auth.rules[i].who, "@anonymous"))
			return true;
	return false;
}
