/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ENV_H
#define BERTH_CONF_ENV_H

/* env: the REGISTRY_* variables of registry:2, as compose files set them. Private to src/conf. */

#include "base/str.h"
#include "conf/config.h"

/*
 * env_apply - set the values of the environment in c; an empty value counts as unset
 * warn  gets one line with the names of all ignored variables; may be NULL
 * msg   gets a line for each fault, separated by newlines: "VARIABLE: ..."
 *
 * Returns 0, or -1 with msg.
 */
int env_apply(struct config *c, char *const *env, struct str *warn, struct str *msg);

/* env_names - add to out an indented line "variables: ..." with the variables that set a key, if there are any */
void env_names(const char *key, struct str *out);

#endif
