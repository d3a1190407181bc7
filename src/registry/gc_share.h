/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_GC_SHARE_H
#define BERTH_REGISTRY_GC_SHARE_H

/* gc_share: the first half of a collection, for all repositories, by several processes. */

#include "base/err.h"
#include "registry/gc_mark.h"
#include "registry/gc_work.h"

/*
 * gc_mark_all - read all that names something
 *
 * Where there are many repositories, processes share them, as many as this one has processors, eight at most; with a rate,
 * and in a dry run that looks for what is untagged, this one is alone. They are gone when this returns, and die with the
 * caller, whatever ends it.
 *
 * Returns 0, or -1 with *e: then something could not be read, and nothing may be deleted.
 */
int gc_mark_all(struct gc_work *w, struct gc_marks *out, struct err *e);

#endif
