/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_JUDGE_H
#define BERTH_CARE_EVICT_JUDGE_H

/* evict_judge: make sure that what is said of content that only mirrors have is true (store/alone.h; doc/CACHE.md, "What only mirrors have"). */

#include "base/err.h"
#include "care/gc_work.h"

/*
 * evict_judge   - once in an epoch, and after each doubt: look at the links of all repositories that are no copies. word gets since when that
 *                 holds (store/alone.h). 0, or -1 with *e. The caller holds no lock. No collection has to run for it: who links content meanwhile
 *                 clears the bit
 * evict_doubted - whether somebody has doubted since then: 1, 0, -1 with *e. Asked after the copies were read, because a repository may have ceased
 *                 to be one before
 */
int evict_judge(struct gc_work *w, struct str *word, struct err *e);
int evict_doubted(struct gc_work *w, const struct str *word, struct err *e);

#endif
