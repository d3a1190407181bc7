/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_lists: groups and rules in the configuration file.
 *
 * Owns their form. Invariant: after auth_lists_check() every rule has at least one "who", a valid pattern and at least one
 * right, and each "@group" in it exists. Knows nothing of requests: auth/access applies the rules.
 */
#include "conf/auth_conf.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/pattern.h"
#include "conf/lists.h"

#define GROUPS "auth.groups"
#define ACCESS "auth.access"
#define USER_MAX 255            /* bytes; the same as HTPASSWD_USER_MAX */

/* A name that a login can have; names that begin with '@' are groups. */
static bool user_ok(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > USER_MAX || s[0] == '@')
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || s[i] == ':')
			return false;
	return true;
}

static bool group_ok(const char *s)
{
	size_t len = strlen(s);

	return len > 0 && len <= USER_MAX && strcmp(s, "users") != 0 && strcmp(s, "anonymous") != 0 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

static const struct config_group *find_group(const struct config_auth *a, const char *name)
{
	for (size_t i = 0; i < a->ngroups; i++)
		if (strcmp(a->groups[i].name, name) == 0)
			return &a->groups[i];
	return NULL;
}

static void read_group(void *arg, const config_setting_t *s, struct faults *f)
{
	struct config_auth *a = arg;
	struct config_group *g;
	bool has_users = false;
	unsigned line = config_setting_source_line(s);

	a->groups = xreallocarray(a->groups, a->ngroups + 1, sizeof(*a->groups));
	g = &a->groups[a->ngroups];
	*g = (struct config_group){ 0 };
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(m), *text;

		if (strcmp(name, "users") == 0) {
			has_users = true;
			lists_texts(&g->users, m, GROUPS ".users", user_ok, "names of users: no colon, no control character, "
				   "no @ at the start", f);
		} else if (strcmp(name, "name") != 0) {
			lists_unknown(m, GROUPS, "name and users", f);
		} else if ((text = lists_text(m, GROUPS ".name", f)) != NULL) {
			if (!group_ok(text))
				str_addf(fault(f, config_setting_source_line(m)), "\"" GROUPS ".name\" must be of letters, digits, "
					 "'.', '_' and '-', and not \"users\" or \"anonymous\"");
			else if (find_group(a, text))
				str_addf(fault(f, config_setting_source_line(m)), "the group \"%s\" already exists", text);
			g->name = xstrdup(text);
		}
	}
	if (!config_setting_get_member(s, "name"))
		str_puts(fault(f, line), "a group needs a name: { name = \"...\"; users = [ ... ]; }");
	if (!has_users)
		str_puts(fault(f, line), "a group needs users: { name = \"...\"; users = [ ... ]; }");
	if (!g->name)
		g->name = xstrdup("");
	a->ngroups++;
}

static bool who_ok(const char *s)
{
	if (s[0] == '@')
		return strcmp(s, "@users") == 0 || strcmp(s, "@anonymous") == 0 || group_ok(s + 1);
	return user_ok(s);
}

static bool action_ok(const char *s)
{
	unsigned ignored = 0;

	return right_add(s, &ignored) == 0;
}

static void read_repo(struct config_rule *r, const config_setting_t *s, struct faults *f)
{
	const char *text = lists_text(s, ACCESS ".repo", f), *why = text ? pattern_fault(text) : NULL;

	if (why)
		str_addf(fault(f, config_setting_source_line(s)), "\"" ACCESS ".repo\" is not a pattern of names: it %s", why);
	if (text && !r->repo)
		r->repo = xstrdup(text);
}

/* The right is not one in a repository, and what it shows and begins is not for strangers. */
static void check_admin(const struct config_rule *r, struct faults *f)
{
	if (r->repo && !pattern_is_all(r->repo))
		str_addf(fault(f, r->line), "\"admin\" is a right in the whole registry: it needs repo = \"**\"");
	for (size_t i = 0; i < r->who.count; i++)
		if (strcmp(r->who.v[i], "@anonymous") == 0)
			str_addf(fault(f, r->line), "\"@anonymous\" cannot have the right \"admin\"");
}

static void read_rule(void *arg, const config_setting_t *s, struct faults *f)
{
	static const char *const needed[] = { "who", "repo", "may" };
	struct config_auth *a = arg;
	cleanup_names struct names may = NAMES_INIT;
	struct config_rule *r;
	int before = f->rc;

	a->rules = xreallocarray(a->rules, a->nrules + 1, sizeof(*a->rules));
	r = &a->rules[a->nrules++];
	*r = (struct config_rule){ .line = config_setting_source_line(s) };
	f->rc = 0;
	for (int i = 0; i < config_setting_length(s); i++) {
		const config_setting_t *m = config_setting_get_elem(s, (unsigned)i);
		const char *name = config_setting_name(m);

		if (strcmp(name, "who") == 0)
			lists_texts(&r->who, m, ACCESS ".who", who_ok,
				   "names of users, \"@group\", \"@users\" (every logged-in user) or \"@anonymous\" (everybody)", f);
		else if (strcmp(name, "repo") == 0)
			read_repo(r, m, f);
		else if (strcmp(name, "may") == 0)
			lists_texts(&may, m, ACCESS ".may", action_ok, "\"pull\", \"push\", \"delete\" or \"admin\"", f);
		else
			lists_unknown(m, ACCESS, "who, repo and may", f);
	}
	for (size_t i = 0; i < ARRAY_LEN(needed); i++)
		if (!config_setting_get_member(s, needed[i]))
			str_addf(fault(f, r->line), "a rule needs \"%s\": { who = [ ... ]; repo = \"...\"; may = [ ... ]; }", needed[i]);
	if (f->rc == 0 && (r->who.count == 0 || may.count == 0))
		str_addf(fault(f, r->line), "a rule with an empty \"%s\" grants nothing; remove it", r->who.count ? "may" : "who");
	for (size_t i = 0; i < may.count; i++)
		right_add(may.v[i], &r->may);
	if (f->rc == 0 && (r->may & RIGHT_ADMIN))
		check_admin(r, f);
	if (!r->repo)
		r->repo = xstrdup("");
	f->rc = f->rc < 0 ? f->rc : before;
}

bool auth_lists_read(struct config_auth *a, const char *name, const config_setting_t *s, struct faults *f)
{
	bool access = strcmp(name, ACCESS) == 0;

	if (!access && strcmp(name, GROUPS) != 0)
		return false;
	if (access)
		a->ruled = true;
	lists_each(s, name, access ? read_rule : read_group, a, f);
	return true;
}

void auth_lists_check(const struct config_auth *a, struct faults *f)
{
	for (size_t i = 0; i < a->nrules; i++) {
		const struct config_rule *r = &a->rules[i];

		for (size_t j = 0; j < r->who.count; j++) {
			const char *who = r->who.v[j];

			if (who[0] != '@' || strcmp(who, "@users") == 0 || strcmp(who, "@anonymous") == 0 || find_group(a, who + 1))
				continue;
			str_addf(fault(f, r->line), "\"" ACCESS ".who\" names the group \"%s\", which \"" GROUPS "\" does not define", who);
		}
	}
}

void auth_lists_release(struct config_auth *a)
{
	for (size_t i = 0; i < a->ngroups; i++) {
		free(a->groups[i].name);
		names_release(&a->groups[i].users);
	}
	for (size_t i = 0; i < a->nrules; i++) {
		free(a->rules[i].repo);
		names_release(&a->rules[i].who);
	}
	free(a->groups);
	free(a->rules);
}

void auth_lists_show(const struct config_auth *a, struct str *out)
{
	str_puts(out, GROUPS " = ");
	for (size_t i = 0; i < a->ngroups; i++) {
		str_puts(out, i ? ", { name = " : "( { name = ");
		lists_show_text(out, a->groups[i].name);
		str_puts(out, "; ");
		lists_show_texts(out, "users", &a->groups[i].users);
		str_puts(out, i + 1 < a->ngroups ? "}" : "} )");
	}
	str_puts(out, "\n" ACCESS " = ");
	if (a->ruled && !a->nrules)
		str_puts(out, "( )");
	for (size_t i = 0; i < a->nrules; i++) {
		str_puts(out, i ? ", { " : "( { ");
		lists_show_texts(out, "who", &a->rules[i].who);
		str_puts(out, "repo = ");
		lists_show_text(out, a->rules[i].repo);
		str_puts(out, "; may = [ ");
		right_list(a->rules[i].may, "\"", ", ", out);
		str_puts(out, i + 1 < a->nrules ? " ]; }" : " ]; } )");
	}
	str_addc(out, '\n');
}

void auth_lists_given(const struct config_auth *a, struct str *out)
{
	if (a->ngroups)
		str_puts(out, GROUPS "\n");
	if (a->ruled)
		str_puts(out, ACCESS "\n");
}

void auth_lists_keys(bool whole, struct str *out)
{
	static const struct { const char *name, *type, *help; } lists[] = {
		{ GROUPS, "a list of groups", "names for several users: ( { name = \"ci\"; users = [ \"a\", \"b\" ]; } )" },
		{ ACCESS, "a list of rules",
		  "rules; a request is allowed if any rule allows it: "
		  "( { who = [ \"@ci\" ]; repo = \"team/**\"; may = [ \"pull\", \"push\", \"delete\" ]; } )" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (whole)
			str_addf(out, "%s\n\ttype: must be %s\n\tdefault: \n\teffect: %s\n", lists[i].name, lists[i].type, lists[i].help);
		else
			str_addf(out, "%-20s %-18s %s\n", lists[i].name, "", lists[i].help);
}
