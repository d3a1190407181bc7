/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_EVICT_NEED_H
#define BERTH_CARE_EVICT_NEED_H

/* evict_need: what an image of a mirrored repository needs, as far as it is here. */

#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "care/gc_work.h"

/* evict_need - add a manifest, what it names, and what the manifests that it names need, to a set; what is in the set is not read again. 0, -1 */
int evict_need(struct gc_work *w, const struct name *n, const struct digest *d, struct digestset *needed, struct err *e);

/* evict_pinned - add what the pinned tags of a repository need. 0, or -1 with *e: then nothing of it may go */
int evict_pinned(struct gc_work *w, const struct name *n, struct digestset *needed, struct err *e);

#endif
