/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_INDEX_H
#define BERTH_REGISTRY_REG_INDEX_H

/*
 * reg_index: a repository's index compared with its links, where that has not been done in this epoch.
 *
 * It stands here and not in the store since what refers to what is written in manifests.
 */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/* reg_index_hold - make the index hold; the caller has the repository's lock */
int reg_index_hold(struct registry *r, const struct name *n, struct err *e);

/*
 * reg_index_ready - the same for a reader, who takes the lock only where there is something to compare, and waits for nobody
 * Returns 1, 0 where somebody else is busy with the repository, or the store is read-only: the caller reads the links
 * themselves; -1 with *e.
 */
int reg_index_ready(struct registry *r, const struct name *n, struct err *e);

/* reg_index_rebuild - compare whatever the epoch says; takes the lock */
int reg_index_rebuild(struct registry *r, const struct name *n, struct err *e);

#endif
