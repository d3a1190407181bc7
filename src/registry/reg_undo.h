/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_UNDO_H
#define BERTH_REGISTRY_REG_UNDO_H

/* reg_undo: bringing back what is remembered of a repository (doc/RULES.md, "Undo"; registry/reg_mark.h writes it). */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/undo.h"

/*
 * reg_undo_list - visit what is remembered and is not there now, in the order of the times: tags that do not point there, manifests
 *                 that have no link
 * If visit returns anything but 0, the walk ends and returns that. NAME_UNKNOWN 404 if there is no such repository.
 */
int reg_undo_list(struct registry *r, const struct name *n, int (*visit)(void *arg, const struct undo_mark *m, struct err *e), void *arg,
		  struct err *e);

/*
 * reg_undo_restore - set a tag to a manifest that is remembered, with all manifests below it that were deleted, too; durable
 * t       NULL: bring back the manifest alone, by its digest
 * wanted  NULL: what the tag was last taken from, other than what it points to now
 * expected  what the tag has to point to, unless that is `wanted` already; text "": it is not there; NULL: whatever it is
 * digest  gets what was brought back
 *
 * All or nothing: it is checked first that everything is there that the manifest needs, and kept from the collector; if a link or the
 * tag can't be made after that, the links that were made are removed. What the tag points to is remembered in turn. A second call
 * completes one that was interrupted. The store was opened as for pushes.
 * MANIFEST_UNKNOWN 404 if nothing is remembered, or a part of it is gone; DENIED 403 where a rule does not allow it, or
 * the tag is not as expected.
 */
int reg_undo_restore(struct registry *r, const struct name *n, const struct tag *t, const struct digest *wanted,
		     const struct digest *expected, struct digest *digest, struct err *e);

#endif
