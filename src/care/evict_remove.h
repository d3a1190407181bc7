/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_REMOVE_H
#define BERTH_CARE_EVICT_REMOVE_H

/* evict_remove: remove what a plan lets go: links first, then the bytes of content that has none any more. */

#include "care/evict.h"
#include "care/evict_plan.h"

/*
 * evict_remove - in batches, beside writers
 * What was pulled since the plan was read stays, and so does what a pinned tag needs by now; `even`: neither does.
 * 0, or -1 with *e: some of it is still there. A kill leaves content without a link at most: the next eviction removes that (care/evict_pending.h).
 * A repository that fails does not keep the others.
 */
int evict_remove(struct evict_plan *p, struct gc_work *w, bool even, struct evict_result *out, struct err *e);


#endif
