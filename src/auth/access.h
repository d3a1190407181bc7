/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_ACCESS_H
#define BERTH_AUTH_ACCESS_H

/*
 * access: which rights the rules of the configuration grant. Pure functions.
 *
 * A request is allowed if any rule allows it; everything else is denied. Without rules every logged-in user may do
 * everything, and without the group "auth" everybody may.
 */

#include <stdbool.h>
#include <stddef.h>
#include "conf/config.h"
#include "os/dir.h"

/*
 * access_may - whether a user has a right in a repository
 * user   NULL: not logged in
 * name   of the repository, not NUL-terminated; the repository need not exist
 * rule   gets the first rule that grants the right, or NULL if none does or there are no rules; may be NULL
 */
bool access_may(const struct config *c, const char *user, const char *name, size_t len, enum right right,
		const struct config_rule **rule);

/* access_may_all - whether a rule grants the right in every repository, existing or not */
bool access_may_all(const struct config *c, const char *user, enum right right);

/*
 * access_patterns - add to out the patterns (base/pattern.h) of the rules that grant the right
 * access_may() is false for every name that none of them matches.
 */
void access_patterns(const struct config *c, const char *user, enum right right, struct names *out);

/* access_anonymous - whether any rule grants a right without a login */
bool access_anonymous(const struct config *c);

#endif
