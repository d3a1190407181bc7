/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_MARK_H
#define BERTH_REGISTRY_REG_MARK_H

/*
 * reg_mark: what is remembered of a tag or a manifest that goes (doc/RULES.md, "Undo").
 *
 * Whoever moves or removes a tag, or deletes a manifest, under the repository's lock:
 *
 *	reg_mark(r, n, UNDO_DELETED, &tag, &digest, e)          for each of them
 *	reg_mark_flush(r, n, e)                                 once
 *	... the change ...
 *
 * With undo = "0" nothing is remembered, nor in a mirror of another registry.
 */

#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"
#include "store/undo.h"

/*
 * reg_mark       - remember that this tag goes, or, without one (t NULL), this manifest; 0, or -1 with *e
 * reg_mark_flush - make it durable before the change, as far as the change's own flush does not
 *
 * Where a rule says `untagged`, the revision link of the manifest gets a new modification time as well: its time without a tag
 * begins now.
 */
int reg_mark(struct registry *r, const struct name *n, enum undo_kind kind, const struct tag *t, const struct digest *d, struct err *e);
int reg_mark_flush(struct registry *r, const struct name *n, struct err *e);

/* reg_mark_keep - seconds that a mark counts, for a collection with this grace period (seconds) */
uint64_t reg_mark_keep(const struct registry *r, uint64_t grace);

#endif
