/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_UNTAGGED_H
#define BERTH_CARE_GC_UNTAGGED_H

/* gc_untagged: remove manifests that no tag, no index and no subject keeps. */

#include "base/digestset.h"
#include "base/err.h"
#include "care/gc_work.h"

/*
 * gc_untagged - remove the manifests of a repository that nothing keeps
 * gone  those that were removed, or in a dry run would be, are added; may be NULL
 *
 * A tag and the grace period keep a manifest. A kept manifest keeps those that it names, and those that name it as their
 * subject. Nothing is removed if a manifest of the repository cannot be read. 0, or -1 with *e.
 */
int gc_untagged(struct gc_work *w, const struct name *n, struct digestset *gone, struct err *e);

#endif
