/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_QUOTAS_H
#define BERTH_CARE_QUOTAS_H

/* quotas: what each group of repositories that has a quota uses (doc/RULES.md, "Quotas"). */

#include <stdint.h>
#include "base/err.h"
#include "registry/registry.h"

struct quota_use {
	const char *group;      /* the leading part of names; "": all repositories; borrowed */
	uint64_t quota, used;   /* bytes */
	uint64_t left;          /* of `used`: what no manifest of its repository names, so that the next collection may remove it */
	size_t repositories;
};

/*
 * quotas_list - tell of each group that has a repository, in byte order
 * All of it is counted from the links and manifests, without a lock: what is pushed or removed meanwhile may be in it or not.
 * tell  returns 0 to go on; any other value ends the list and is returned
 */
int quotas_list(struct registry *r, int (*tell)(void *arg, const struct quota_use *u, struct err *e), void *arg, struct err *e);

/*
 * quotas_prepare - count each group whose table is not current, so that no push has to wait for that
 * A group that fails is skipped, and said in the log. While nobody serves there is nothing to do: no table would be current.
 */
int quotas_prepare(struct registry *r, struct err *e);

/*
 * quotas_check - tell of each group whose table says something else than the links
 * n     a repository of the group; what: words for it
 */
int quotas_check(struct registry *r, int (*tell)(void *arg, const struct name *n, const char *group, const char *what, struct err *e), void *arg,
		 struct err *e);

#endif
