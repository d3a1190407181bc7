/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_INDEX_H
#define BERTH_REGISTRY_REG_INDEX_H

/*
 * reg_index: comparison of a repository's index with its links, once in each epoch (doc/STORE.md, "Indexes and epochs").
 *
 * It is in this folder and not in store/ since the subjects are written in the manifests, which the store does not read.
 */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/* reg_index_ensure - compare index and links unless the index is current; the caller holds the repository's lock */
int reg_index_ensure(struct registry *r, const struct name *n, struct err *e);

/*
 * reg_index_ready - the same for a reader: acquires the lock only if there is something to compare, and does not wait for it
 * Returns 1 if the index is current; 0 if another process has the lock or the store is read-only: the caller must read
 * the links instead; -1 with *e.
 */
int reg_index_ready(struct registry *r, const struct name *n, struct err *e);

/* reg_index_rebuild - clear the index and compare, even if it is current; acquires the repository's lock */
int reg_index_rebuild(struct registry *r, const struct name *n, struct err *e);

#endif
