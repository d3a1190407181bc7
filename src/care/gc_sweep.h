/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_SWEEP_H
#define BERTH_CARE_GC_SWEEP_H

/* gc_sweep: the second half of a collection: links that nothing names go, then content that nothing names. */

#include "care/gc_mark.h"
#include "care/gc_work.h"

/*
 * gc_sweep - delete what is not marked, in batches
 * What is found to be young on the way is added to the marks. 0, or -1 with *e: then less was deleted than there is.
 */
int gc_sweep(struct gc_work *w, struct gc_marks *m, struct err *e);

#endif
