/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env: the REGISTRY_* variables of registry:2.
 *
 * Owns which variables are settings, and how their names and values are read. What becomes of a setting is moved's. Messages
 * never repeat values: some are secrets.
 */

#include "conf/env.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "conf/moved.h"
#include "conf/yaml.h"

#define PREFIX "REGISTRY_"
#define HEADERS "http.headers."

const char *env_value(char *const *environ, const char *name)
{
	size_t len = strlen(name);

	for (; environ && *environ; environ++)
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=')
			return (*environ)[len + 1] ? *environ + len + 1 : NULL;
	return NULL;
}

static bool ends(const char *name, const char *with)
{
	size_t len = strlen(name), n = strlen(with);

	return len >= n && strcmp(name + len - n, with) == 0;
}

/* is_port_link - the end of a name: PORT_5000_TCP, with or without _ADDR, _PORT, _PROTO after it */
static bool is_port_link(const char *name)
{
	static const char *const protocols[] = { "_TCP", "_UDP", "_SCTP" };
	static const char *const ends_in[] = { "", "_ADDR", "_PORT", "_PROTO" };
	const char *at = strstr(name, "_PORT_");
	size_t digits = at ? strspn(at + 6, "0123456789") : 0;

	for (size_t i = 0; digits && i < ARRAY_LEN(protocols); i++) {
		const char *rest = at + 6 + digits;
		size_t len = strlen(protocols[i]);

		for (size_t j = 0; strncmp(rest, protocols[i], len) == 0 && j < ARRAY_LEN(ends_in); j++)
			if (strcmp(rest + len, ends_in[j]) == 0)
				return true;
	}
	return false;
}

/*
 * is_link - what Kubernetes, or docker's links, set in every container for a service called registry, registry-auth and so on:
 * REGISTRY_AUTH_PORT=tcp://10.0.0.1:80, REGISTRY_PROXY_SERVICE_HOST. No setting of registry:2 has such a name and value.
 */
static bool is_link(const char *name, const char *value)
{
	if (ends(name, "_PORT"))
		return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 || strncmp(value, "sctp://", 7) == 0 ||
		       ends(name, "_SERVICE_PORT") || is_port_link(name);
	return ends(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT_") || is_port_link(name);
}

/*
 * path_of - "REGISTRY_STORAGE_DELETE_ENABLED" to "storage.delete.enabled"; the name of a header keeps its case
 * Returns false if no setting can have this path.
 */
static bool path_of(const char *name, struct str *path)
{
	unsigned levels = 1;
	bool good = true;

	for (const char *p = name + strlen(PREFIX); *p; p++) {
		bool header = strncmp(path->buf, HEADERS, strlen(HEADERS)) == 0;

		good = good && *p != '.' && (*p != '_' || (p[1] && p[1] != '_' && p[-1] != '_'));
		levels += *p == '_';
		str_addc(path, *p == '_' ? '.' : header ? *p : (char)tolower((unsigned char)*p));
	}
	return good && path->len && levels < NODE_DEPTH_MAX;
}

/* line - begin a line about a variable */
static struct str *line(struct str *out, const char *name)
{
	str_puts(out, out->len ? "\n" : "");
	str_add_shown(out, name, strlen(name), SIZE_MAX);
	return out;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* raw - the value as it is, without surrounding white space */
static struct node *raw(const char *value)
{
	struct node *n;
	size_t len;

	value = skip_space(value);
	n = node_new(NODE_TEXT, NULL, value);
	len = strlen(n->text);
	while (len > 0 && strchr(" \t\r\n", n->text[len - 1]))
		n->text[--len] = '\0';
	return n;
}

static void set_source(struct node *n, const char *name)
{
	n->source = name;
	for (struct node *child = n->child; child; child = child->next)
		set_source(child, name);
}

/* has_form - whether berth looks into a value: only that of a group, a list or a map must be YAML */
static bool has_form(const char *path, const struct moved *m)
{
	return m ? m->kind == MOVED_SETS && !m->text : moved_is_group(path);
}

/*
 * value_of - the value of a variable; NULL if it is null
 *
 * Where one text is wanted, what is no text in YAML is taken as it is: "[::]:5000" and "Registry: private" mean themselves.
 */
static int value_of(const char *name, const char *value, const char *path, struct node **out, struct str *msg)
{
	const struct moved *m = moved_find(path);
	cleanup_str struct str text = STR_INIT;
	const char *why;
	unsigned at;

	str_puts(&text, value);
	if (yaml_read(&text, name, false, out, &at, &why) < 0 && has_form(path, m)) {
		str_addf(line(msg, name), ": is not YAML: %s", why);
		return -1;
	}
	if (why || (m && m->text && *out && ((*out)->kind == NODE_MAP || (*out)->kind == NODE_LIST))) {
		node_release(out);
		*out = raw(value);
	}
	if (*out && (*out)->kind == NODE_NULL)
		node_release(out);
	if (*out) {
		set_source(*out, name);
		(*out)->whole = true;
	}
	return 0;
}

/* A variable below a setting that is taken as a whole, such as one of several headers: the file has the others. */
static void keep_rest(struct env *e, const struct node *file, const char *path)
{
	const struct moved *above = moved_above(path);
	const struct node *rest = above && file && !node_at(e->tree, above->path) ? node_at(file, above->path) : NULL;
	struct node *copy;

	if (!rest || rest->kind == NODE_NULL)
		return;
	copy = node_copy(rest);
	free(copy->name);
	node_put(e->tree, above->path, copy);
}

static int read_one(struct env *e, const char *name, const char *value, struct node *file, struct str *warn, struct str *msg)
{
	cleanup_str struct str path = STR_INIT;
	struct node *n = NULL;

	if (!path_of(name, &path)) {
		if (moved_is_closed(path.buf)) {
			str_puts(line(msg, name), ": no setting has this name; remove it");
			return -1;
		}
		if (warn)
			str_puts(line(warn, name), " has no effect: there is no such setting");
		return 0;
	}
	if (value_of(name, value, path.buf, &n, msg) < 0)
		return -1;
	if (!n)
		return 0;
	keep_rest(e, file, path.buf);
	node_put(e->tree, path.buf, n);
	if (file)
		node_remove(file, path.buf);
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* collect - the names of the variables that may be settings, sorted: a shorter name comes before a longer one; -1: too many */
static int collect(struct env *e, char *const *environ)
{
	size_t cap = 0;

	for (; environ && *environ; environ++) {
		size_t len = strcspn(*environ, "=");
		cleanup_free char *name = NULL;

		if (strncmp(*environ, PREFIX, strlen(PREFIX)) != 0 || (*environ)[len] != '=' || !(*environ)[len + 1])
			continue;
		name = xstrndup(*environ, len);
		if (is_link(name, *environ + len + 1))
			continue;
		if (e->count == NODE_COUNT_MAX)
			return -1;
		if (e->count == cap) {
			cap = cap ? cap * 2 : 16;
			e->names = xreallocarray(e->names, cap, sizeof(*e->names));
		}
		e->names[e->count++] = STEAL(name);
	}
	if (e->count)
		qsort(e->names, e->count, sizeof(*e->names), by_name);
	return 0;
}

int env_read(struct env *e, char *const *environ, struct node *file, struct str *warn, struct str *msg)
{
	int rc = 0;

	*e = (struct env)ENV_INIT;
	e->tree = node_new(NODE_MAP, NULL, NULL);
	if (collect(e, environ) < 0) {
		str_addf(msg, "%sREGISTRY_*: more than %d variables", msg->len ? "\n" : "", NODE_COUNT_MAX);
		return -1;
	}
	for (size_t i = 0; i < e->count; i++) {
		const char *value = env_value(environ, e->names[i]);

		if (value && read_one(e, e->names[i], value, file, warn, msg) < 0)
			rc = -1;
	}
	return rc;
}

void env_release(struct env *e)
{
	node_release(&e->tree);
	for (size_t i = 0; i < e->count; i++)
		free(e->names[i]);
	free(e->names);
	*e = (struct env)ENV_INIT;
}
