/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_UNTAGGED_H
#define BERTH_CARE_GC_UNTAGGED_H

/* gc_untagged: remove manifests that no tag, no index and no subject keeps. */

#include "base/digestset.h"
#include "base/err.h"
#include "care/gc_work.h"

/*
 * gc_untagged_due - whether the manifests of a repository that nothing keeps are removed, and from which age on, in seconds: as a rule
 *                   says, if it may delete by now, or else as the options of the collection do; never where a rule says readonly
 */
bool gc_untagged_due(const struct gc_work *w, const struct name *n, uint64_t *age);

/*
 * gc_untagged - remove the manifests of a repository that nothing keeps
 * age   seconds: a younger one stays, as within the grace period
 * gone  those that were removed, or in a dry run would be, are added; may be NULL
 *
 * A tag and the grace period keep a manifest. A kept manifest keeps those that it names, and those that name it as their
 * subject. Nothing is removed if a manifest of the repository cannot be read. 0, or -1 with *e.
 */
int gc_untagged(struct gc_work *w, const struct name *n, uint64_t age, struct digestset *gone, struct err *e);

#endif
