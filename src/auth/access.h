/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_ACCESS_H
#define BERTH_AUTH_ACCESS_H

/*
 * access: what the rules of the configuration give to whom. Pure functions.
 *
 * Rules add up; what none gives is refused. Without rules whoever is logged in may do everything, and without "auth"
 * everybody may.
 */

#include <stdbool.h>
#include <stddef.h>
#include "conf/config.h"
#include "os/dir.h"

/*
 * access_may - whether somebody may do this in a repository
 * user   NULL: somebody who is not logged in
 * name   the repository's, not NUL-terminated; need not exist
 * right  one of enum right
 * rule   gets the first rule that gives it; NULL where none does, or where there are no rules; may be NULL
 */
bool access_may(const struct config *c, const char *user, const char *name, size_t len, enum right right,
		const struct config_rule **rule);

/* access_may_all - whether it holds for every repository there could be, by a rule that says so */
bool access_may_all(const struct config *c, const char *user, enum right right);

/* access_patterns - add the patterns (base/pattern.h) of the rules that give it: access_may() holds for no name beside them */
void access_patterns(const struct config *c, const char *user, enum right right, struct names *out);

/* access_anonymous - whether somebody who is not logged in may do anything at all */
bool access_anonymous(const struct config *c);

#endif
