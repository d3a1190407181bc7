/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moved: the walk over the settings of registry:2.
 *
 * Owns the decision about a setting that the table does not have. Invariant: every node of the tree is set, named in a warning
 * or a fault, or known to be of no use.
 */
#include "conf/moved.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define DRIVERS "storage"

/* What is unknown below these could close the registry or encrypt what is sent. */
static const char *const closed[] = { "auth", "http.tls", "proxy", "policy", NULL };

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && (path[len] == '.' || path[len] == '\0');
}

bool moved_is_closed(const char *path)
{
	for (size_t i = 0; closed[i]; i++)
		if (is_below(path, closed[i]))
			return true;
	return is_below(path, DRIVERS);
}

/* Every element of a list of hooks, endpoints or the like is switched off. */
static bool all_disabled(const struct node *n)
{
	for (const struct node *child = n->child; child; child = child->next) {
		const struct node *off = node_member(child, "disabled");

		if (off ? !node_is_set(off) : !(n->kind == NODE_MAP && child->kind == NODE_LIST && all_disabled(child)))
			return false;
	}
	return n->child != NULL;
}

static void refuse(struct moved_work *w, const struct node *n, const char *path, const char *why)
{
	struct str *msg = moved_fault(w, n, path);

	str_addf(msg, "%s%s", n->whole ? "" : "is refused: ", why);
}

static void apply_row(struct moved_work *w, const struct moved *m, const struct node *n)
{
	cleanup_str struct str text = STR_INIT;

	if (m->set) {
		if (n->kind != NODE_NULL || m->set == moved_bool || m->set == moved_not)
			m->set(w, m, n);
	} else if (m->kind == MOVED_LOSES && node_is_set(n) && !all_disabled(n)) {
		str_addf(&text, "has no effect: %s", m->note);
		moved_warn(w, n, m->path, text.buf);
	} else if (m->kind == MOVED_REFUSED && (m->even_empty || node_is_set(n))) {
		refuse(w, n, m->path, m->note);
	}
}

/* A setting that the table does not have, in the group `above`. registry:2 ignores most of these, too. */
static void unknown(struct moved_work *w, const struct node *n, const char *path, const char *above)
{
	cleanup_str struct str lower = STR_INIT;

	for (const char *p = path; *p; p++)
		str_addc(&lower, (char)tolower((unsigned char)*p));
	if (strcmp(lower.buf, path) != 0 && !strchr(n->name, '.') && (moved_find(lower.buf) || moved_is_group(lower.buf))) {
		str_addf(moved_fault(w, n, path), "must be written \"%s\"", lower.buf);
		return;
	}
	if (is_below(path, DRIVERS) && (!*above || strcmp(above, DRIVERS) == 0)) {
		refuse(w, n, path, "only the filesystem is supported as storage driver; remove it");
		return;
	}
	for (size_t i = 0; closed[i]; i++) {
		if (!is_below(path, closed[i]))
			continue;
		refuse(w, n, path, strcmp(closed[i], "auth") == 0 ?
		       "only logins by htpasswd and tokens are supported; remove it only if the registry is closed without it" :
		       "berth does not know this setting; remove it");
		return;
	}
	moved_warn(w, n, path, "has no effect: there is no such setting");
}

/* Recursion: a tree has at most NODE_DEPTH_MAX levels, and only groups that the table has are entered. */
static void walk(struct moved_work *w, const struct node *group, const char *above)
{
	for (const struct node *n = group->child; n; n = n->next) {
		cleanup_str struct str path = STR_INIT;
		const struct moved *m;

		str_addf(&path, "%s%s%s", above, *above ? "." : "", n->name);
		m = strchr(n->name, '.') ? NULL : moved_find(path.buf);
		if (m)
			apply_row(w, m, n);
		else if (strchr(n->name, '.') || !moved_is_group(path.buf))
			unknown(w, n, path.buf, above);
		else if (n->kind == NODE_MAP)
			walk(w, n, path.buf);
		else if (n->kind != NODE_NULL)
			str_puts(moved_fault(w, n, path.buf), "must be a map of settings");
	}
}

/* Any kind of login is one, even an incomplete one, or none at all, which is then refused. "none" is not. */
static bool has_login(const struct node *auth)
{
	if (auth->kind != NODE_MAP || !auth->child)
		return auth->kind != NODE_NULL;
	for (const struct node *child = auth->child; child; child = child->next)
		if (strcmp(child->name, "none") != 0)
			return true;
	return false;
}

/* A login turns authorization on. */
static void turn_on(struct moved_work *w)
{
	struct node *auth = node_member(w->root, "auth");
	struct config_auth *a = &w->c->auth;
	cleanup_str struct str where = STR_INIT;

	if (!auth || !has_login(auth))
		return;
	a->on = true;
	if (!auth->line)
		return;
	node_where(auth, &where);
	free(a->where);
	a->where = xstrdup(where.buf);
}

/* "storage: filesystem" and "auth: htpasswd" are short for maps. */
static void expand(const struct moved_work *w, const char *name)
{
	struct node *n = node_member(w->root, name);

	if (n && n->kind == NODE_TEXT)
		node_expand(n);
}

void moved_apply(struct moved_work *w)
{
	expand(w, DRIVERS);
	expand(w, "auth");
	turn_on(w);
	walk(w, w->root, "");
}

void moved_variables(const char *key, struct str *out)
{
	bool first = true;

	for (size_t i = 0; i < moved_count; i++) {
		if (!moved_table[i].key || strcmp(moved_table[i].key, key) != 0)
			continue;
		str_puts(out, first ? "\tvariables: REGISTRY_" : ", REGISTRY_");
		for (const char *p = moved_table[i].path; *p; p++)
			str_addc(out, *p == '.' ? '_' : (char)toupper((unsigned char)*p));
		first = false;
	}
	if (!first)
		str_addc(out, '\n');
}
