/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node: a tree of maps, lists and texts.
 *
 * Owns nothing but the trees that it makes. Knows no setting. Their depth is bounded by those who make them: yaml, and env.
 */
#include "conf/node.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct node *node_new(enum node_kind kind, const char *name, const char *text)
{
	struct node *n = xcalloc(1, sizeof(*n));

	n->kind = kind;
	n->name = name ? xstrdup(name) : NULL;
	n->text = text ? xstrdup(text) : NULL;
	return n;
}

void node_release(struct node **n)
{
	struct node *child, *next;

	if (!*n)
		return;
	for (child = (*n)->child; child; child = next) {
		next = child->next;
		node_release(&child);
	}
	free((*n)->name);
	free((*n)->text);
	free(*n);
	*n = NULL;
}

struct node *node_copy(const struct node *n)
{
	struct node *copy = node_new(n->kind, n->name, n->text);

	copy->source = n->source;
	copy->line = n->line;
	copy->whole = n->whole;
	for (const struct node *child = n->child; child; child = child->next)
		node_add(copy, node_copy(child));
	return copy;
}

void node_add(struct node *parent, struct node *child)
{
	struct node **at = &parent->child;

	while (*at)
		at = &(*at)->next;
	*at = child;
}

static struct node *member(const struct node *n, const char *name, size_t len)
{
	if (!n || n->kind != NODE_MAP)
		return NULL;
	for (struct node *child = n->child; child; child = child->next)
		if (strlen(child->name) == len && strncasecmp(child->name, name, len) == 0)
			return child;
	return NULL;
}

struct node *node_member(const struct node *n, const char *name)
{
	return member(n, name, strlen(name));
}

struct node *node_at(const struct node *root, const char *path)
{
	struct node *n = NULL;

	do {
		size_t len = strcspn(path, ".");

		n = member(n ? n : root, path, len);
		path += len + (path[len] == '.');
	} while (n && *path);
	return n;
}

static void unlink_child(struct node *parent, struct node *child)
{
	for (struct node **at = &parent->child; *at; at = &(*at)->next) {
		if (*at != child)
			continue;
		*at = child->next;
		child->next = NULL;
		node_release(&child);
		return;
	}
}

void node_remove(struct node *root, const char *path)
{
	const char *dot = strrchr(path, '.');
	cleanup_free char *above = dot ? xstrndup(path, (size_t)(dot - path)) : NULL;
	struct node *parent = above ? node_at(root, above) : root;
	struct node *child = parent ? node_member(parent, dot ? dot + 1 : path) : NULL;

	if (child)
		unlink_child(parent, child);
}

void node_expand(struct node *n)
{
	struct node *only;
	uint64_t i = 0;

	if (n->kind == NODE_LIST) {     /* its elements get their numbers as names */
		for (struct node *child = n->child; child; child = child->next) {
			cleanup_str struct str number = STR_INIT;

			str_add_u64(&number, i++);
			child->name = xstrdup(number.buf);
		}
	} else if (n->kind == NODE_TEXT) {
		only = node_new(NODE_NULL, n->text, NULL);
		only->source = n->source;
		only->line = n->line;
		only->whole = n->whole;
		free(n->text);
		n->text = NULL;
		n->child = only;
	}
	n->kind = NODE_MAP;
}

/* In the place of an old child, or, if there is none, at the end. */
static void put_child(struct node *parent, struct node *old, struct node *child)
{
	struct node **at = &parent->child;

	while (*at && *at != old)
		at = &(*at)->next;
	*at = child;
	if (!old)
		return;
	child->next = old->next;
	old->next = NULL;
	node_release(&old);
}

void node_put(struct node *root, const char *path, struct node *value)
{
	struct node *at = root, *next;

	for (;;) {
		size_t len = strcspn(path, ".");
		cleanup_free char *name = xstrndup(path, len);

		node_expand(at);
		next = node_member(at, name);
		if (!path[len]) {
			value->name = STEAL(name);
			put_child(at, next, value);
			return;
		}
		if (!next) {
			next = node_new(NODE_MAP, name, NULL);
			next->source = value->source;
			next->line = value->line;
			node_add(at, next);
		}
		at = next;
		path += len + 1;
	}
}

bool node_is_set(const struct node *n)
{
	static const char *const no[] = { "", "false", "no", "off", "n" };

	switch (n->kind) {
	case NODE_NULL:
		return false;
	case NODE_TEXT:
		for (size_t i = 0; i < ARRAY_LEN(no); i++)
			if (strcasecmp(n->text, no[i]) == 0)
				return false;
		return true;
	case NODE_MAP:
	case NODE_LIST:
		break;
	}
	return n->child != NULL;
}

void node_where(const struct node *n, struct str *out)
{
	/* The name of a variable is from outside. */
	str_add_shown(out, n->source, strlen(n->source), SIZE_MAX);
	if (n->line)
		str_addf(out, ":%u", n->line);
}
