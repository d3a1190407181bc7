/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CONF_ENV_H
#define BERTH_CONF_ENV_H

/* env: the REGISTRY_* variables of registry:2, as compose files set them. Private to src/conf. */

#include "base/str.h"
#include "conf/config.h"

/*
 * env_apply - set in c what the environment says; an empty value counts as unset
 * warn  gets one line that names all variables that are not honoured and do no harm by that; may be NULL
 * msg   gets a line a fault, newline between: "VARIABLE: ..."
 *
 * Returns 0, or -1 with msg.
 */
int env_apply(struct config *c, char *const *env, struct str *warn, struct str *msg);

/* env_names - an indented line "variables: ..." with those that set a key, added to out; nothing where there is none */
void env_names(const char *key, struct str *out);

#endif
