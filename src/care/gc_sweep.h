/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_SWEEP_H
#define BERTH_CARE_GC_SWEEP_H

/* gc_sweep: the second half of a collection: remove links that nothing names, then content that nothing names. */

#include "care/gc_mark.h"
#include "care/gc_work.h"

/*
 * gc_sweep - remove what is not marked, in batches
 * The content of links that are kept after all (noted, or in the grace period) is added to the marks. 0, or -1 with *e: some of
 * the garbage is still there.
 */
int gc_sweep(struct gc_work *w, struct gc_marks *m, struct err *e);

#endif
