/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_COPIED_H
#define BERTH_REGISTRY_REG_COPIED_H

/* reg_copied: which repositories are copies of an upstream's, and may be evicted (doc/CACHE.md, "What is kept"). */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * reg_copied_manifest - a manifest is about to come to the repository, which the caller has the lock of, as well as lock_collector
 * If an upstream gives it, and the repository has none yet, it is a copy from now on. If somebody pushes it, the repository is one's own from now on.
 * 0, or -1 with *e
 */
int reg_copied_manifest(struct registry *r, const struct name *n, struct err *e);

/*
 * reg_copied_becomes_own - whatever it was, the repository is one's own: somebody restores or moves what is there. The caller has the same locks.
 * 0, or -1 with *e
 */
int reg_copied_becomes_own(struct registry *r, const struct name *n, struct err *e);

#endif
