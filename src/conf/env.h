/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ENV_H
#define BERTH_CONF_ENV_H

/*
 * env: the REGISTRY_* variables of registry:2, as compose files set them, as a tree of its settings.
 *
 * As there, REGISTRY_A_B is the setting a.b, and its value is YAML. A variable replaces everything at and below its setting,
 * and a longer name is more specific than a shorter one. An empty or null value counts as unset. Private to src/conf.
 */

#include "base/str.h"
#include "conf/node.h"

struct env {
	struct node *tree;      /* never NULL */
	char **names;           /* the sources of the nodes */
	size_t count;           /* variables that are set */
};

#define ENV_INIT { 0 }

/*
 * env_read - read the variables
 * file  the tree of the config.yml; what a variable replaces is removed from it; NULL: there is none
 * warn  gets a line for each variable that names no setting; may be NULL
 * msg   gets a line for each fault, separated by newlines: "VARIABLE: ..."
 *
 * Returns 0, or -1 with msg. The caller releases e in either case.
 */
int env_read(struct env *e, char *const *environ, struct node *file, struct str *warn, struct str *msg);
void env_release(struct env *e);
#define cleanup_env __attribute__((cleanup(env_release)))

/* env_value - the value of a variable; NULL if it is unset or empty */
const char *env_value(char *const *environ, const char *name);

#endif
