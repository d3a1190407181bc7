/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_JUDGE_H
#define BERTH_CARE_EVICT_JUDGE_H

/* evict_judge: make sure that what is said of content that only mirrors have is true (store/alone.h; doc/CACHE.md, "What only mirrors have"). */

#include "base/err.h"
#include "care/gc_work.h"

/*
 * evict_judge - once in an epoch: look at the links of all repositories that are no mirrors. 0, or -1 with *e
 * No collection has to run for it: who links content meanwhile clears the bit.
 */
int evict_judge(struct gc_work *w, struct err *e);

#endif
