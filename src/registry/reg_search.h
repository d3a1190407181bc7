/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_SEARCH_H
#define BERTH_REGISTRY_REG_SEARCH_H

/* reg_search: repositories, tags and digests for what somebody has typed (doc/PAGE.md, "Searching"). */

#include "base/err.h"
#include "base/str.h"
#include "registry/reg_walk.h"
#include "registry/registry.h"

#define SEARCH_FOUND 10         /* of each kind */
#define SEARCH_TEXT 512         /* bytes of what is searched for, at most; at least 1 */

/*
 * reg_search - add the members "repos", "tags" and "digests" to a JSON object, and "more": of which of them there may be more
 * of  the repositories that the caller may see; NULL: all
 * What is looked at is bounded: SEARCH_... in reg_search.c.
 */
int reg_search(struct registry *r, const struct repo_filter *of, const char *q, struct str *out, struct err *e);

#endif
