/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_NODE_H
#define BERTH_CONF_NODE_H

/*
 * node: the settings of registry:2 as a tree: what a config.yml has, or what the variables have.
 *
 * A name is a key of a map; an element of a list has none, except those that variables set one by one: REGISTRY_A_B_0 is the
 * member "0" of a map. Private to src/conf.
 */

#include <stdbool.h>
#include <stddef.h>
#include "base/str.h"

#define NODE_DEPTH_MAX 32
#define NODE_COUNT_MAX 4096

enum node_kind { NODE_NULL, NODE_TEXT, NODE_MAP, NODE_LIST };

struct node {
	enum node_kind kind;
	char *name;             /* NULL: the root, or an element of a list */
	char *text;             /* of NODE_TEXT, else NULL */
	const char *source;     /* the file, or the variable; borrowed */
	unsigned line;          /* in the file, from 1; 0: the source is a variable */
	bool whole;             /* the value of the variable, not a part of it */
	struct node *child, *next;
};

/* node_new - name and text are copied and may be NULL */
struct node *node_new(enum node_kind kind, const char *name, const char *text);
void node_release(struct node **n);
#define cleanup_node __attribute__((cleanup(node_release)))

/* node_copy - the node with everything below it, but without its siblings */
struct node *node_copy(const struct node *n);

/* node_add - append a child, which the parent then owns */
void node_add(struct node *parent, struct node *child);

/* node_member - the member of a map, in whatever case its name is written; NULL if there is none, or n is NULL or no map */
struct node *node_member(const struct node *n, const char *name);

/* node_at - the node at a path "a.b.c"; NULL if there is none */
struct node *node_at(const struct node *root, const char *path);

/* node_remove - remove the node at a path "a.b.c", if it exists */
void node_remove(struct node *root, const char *path);

/*
 * node_expand - make a map of a node that is none, so that a member can be put below it
 *
 * A text becomes a map with one member of that name: "storage: filesystem" is short for "storage: {filesystem: }". The elements
 * of a list get their numbers as names.
 */
void node_expand(struct node *n);

/*
 * node_put - put a value at a path "a.b.c" in place of what is there
 * Missing maps are created, and what is no map and in the way is expanded. Takes over the value, which has no name yet.
 */
void node_put(struct node *root, const char *path, struct node *value);

/* node_is_set - whether it says anything: not null, "", false (in any word of YAML for it), and no empty map or list */
bool node_is_set(const struct node *n);

/* node_where - add "FILE:LINE", or the name of the variable */
void node_where(const struct node *n, struct str *out);

#endif
