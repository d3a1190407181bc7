/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_REPOS_H
#define BERTH_CARE_REPOS_H

/*
 * repos: whole repositories removed and renamed, while the registry serves (store.md, "Locks").
 *
 * Repositories nested below (a/b below a) are others, and stay as they are. A crash at any point loses nothing and
 * leaves no name that points to nothing; the same call again finishes what was begun.
 */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * repos_remove - the repository and its uploads under way are gone, durably; the bytes go with the next collection
 * Its index and its entry in the catalog go after it. Returns 1, 0 where there is none, -1 with *e.
 */
int repos_remove(struct registry *r, const struct name *n, struct err *e);

/*
 * repos_move - `from` is called `to`, durably; referrers, tags and all
 * Uploads under way move with it, or, where others are nested in it, are unknown from then on.
 *
 * NAME_UNKNOWN where there is no `from`; NAME_INVALID where there is a `to` already, or both are one; UNAVAILABLE while
 * a collection runs, whose marks are made without locks: it would miss what moves.
 */
int repos_move(struct registry *r, const struct name *from, const struct name *to, struct err *e);

#endif
