/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_REPOS_H
#define BERTH_CARE_REPOS_H

/*
 * repos: remove and rename whole repositories, while the registry serves (doc/STORE.md, "Locks").
 *
 * Repositories nested below one (a/b below a) are not affected. A crash at any point loses nothing and leaves no dangling link; the
 * same call again finishes what was begun.
 */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * repos_remove - remove a repository and its uploads in progress, durably; the next collection removes the content
 * Its entry in the catalog and its index are removed after it. Returns 1, 0 if it does not exist, -1 with *e: also what
 * reg_rules_repository() and reg_rules_writable() refuse.
 */
int repos_remove(struct registry *r, const struct name *n, struct err *e);

/* repos_forget - the same of a mirror, of which nothing is in the journal: also 1 if all that there was is pins */
int repos_forget(struct registry *r, const struct name *n, struct err *e);

/*
 * repos_move - rename `from` to `to` with its tags and referrers, durably
 * Uploads in progress move with it, unless other repositories are nested in it: then they become unknown.
 *
 * NAME_UNKNOWN if `from` does not exist; NAME_INVALID if `to` exists or is the same name, or one of them is a mirror; UNAVAILABLE while a
 * collection runs, since it marks without locks and would miss what moves; what reg_rules_repository() and, of both names,
 * reg_rules_writable() refuse.
 */
int repos_move(struct registry *r, const struct name *from, const struct name *to, struct err *e);

#endif
