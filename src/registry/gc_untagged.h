/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_GC_UNTAGGED_H
#define BERTH_REGISTRY_GC_UNTAGGED_H

/* gc_untagged: manifests that no tag, no index and no subject keeps. */

#include "base/err.h"
#include "registry/gc_work.h"

/*
 * gc_untagged - remove manifests of all repositories that are older than the grace time and kept by nothing
 *
 * A tag keeps its manifest; a kept index keeps its children; a kept manifest keeps those that name it as their subject.
 * 0, or -1 with *e.
 */
int gc_untagged(struct gc_work *w, struct err *e);

#endif
