/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_UNTAGGED_H
#define BERTH_CARE_GC_UNTAGGED_H

/* gc_untagged: manifests that no tag, no index and no subject keeps. */

#include "base/digestset.h"
#include "base/err.h"
#include "care/gc_work.h"

/*
 * gc_untagged - remove the manifests of a repository that are older than the grace time and kept by nothing
 * gone  gets those that went, or in a dry run would
 *
 * A tag keeps its manifest, and so does the grace time; what is kept keeps what it names, and what names it as its
 * subject. 0, or -1 with *e.
 */
int gc_untagged(struct gc_work *w, const struct name *n, struct digestset *gone, struct err *e);

#endif
