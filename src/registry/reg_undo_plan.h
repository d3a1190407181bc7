/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_UNDO_PLAN_H
#define BERTH_REGISTRY_REG_UNDO_PLAN_H

/* reg_undo_plan: what has to be there, and what has to be linked, for a manifest to be whole again in its repository. */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "base/digestlist.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/undo.h"

struct undo_plan {
	struct digest_list missing;     /* manifests without a link, each after those that it names */
	struct digest_list needed;      /* all that was found, for the collector */
	bool layers[DIGEST_ALG_COUNT], revisions[DIGEST_ALG_COUNT];    /* links of these algorithms were found */
};

#define UNDO_PLAN_INIT { .layers = { false } }
void undo_plan_release(struct undo_plan *p);
#define cleanup_undo_plan __attribute__((cleanup(undo_plan_release)))

/*
 * undo_plan_make - look for the manifest d and everything below it, and keep what is found from the collector
 * A manifest without a link counts only if one of the marks is of it: content of that digest may be another repository's.
 * The caller holds the repository's lock and lock_collector.
 * MANIFEST_UNKNOWN 404 if anything is missing that manifests.sparse does not allow to be, or cannot be read.
 */
int undo_plan_make(struct undo_plan *p, struct registry *r, const struct name *n, const struct undo_marks *marks, const struct digest *d,
		   struct err *e);

#endif
