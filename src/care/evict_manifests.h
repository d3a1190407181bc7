/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_MANIFESTS_H
#define BERTH_CARE_EVICT_MANIFESTS_H

/* evict_manifests: remove manifests of one mirrored repository, and the tags that point to them. */

#include "care/evict.h"
#include "care/evict_plan.h"

/*
 * evict_manifests - remove these links, which are of one repository, and what it knows of them; sets `gone` of those that are durably gone
 * even  also what was pulled since the plan was read, and what a pinned tag needs by now
 */
int evict_manifests(struct gc_work *w, const struct name *n, struct evict_link **v, size_t count, bool even, struct evict_result *out,
		    struct err *e);

/* evict_untag - remove a tag of a mirrored repository, durably, and no manifest. 1, 0 it is not there, -1 with *e */
int evict_untag(struct gc_work *w, const struct name *n, const struct tag *t, struct err *e);

#endif
