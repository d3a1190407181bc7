/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_DELETE_H
#define BERTH_REGISTRY_REG_DELETE_H

/* reg_delete: deleting manifests and tags (distribution-spec, "Deleting Manifests", "Deleting tags"). */

#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "registry/registry.h"

/*
 * reg_delete - delete a manifest and every tag that points to it, or one tag only; durable
 * MANIFEST_UNKNOWN 404; DENIED 412 for a failed precondition (tags only); what reg_rules_untag() and reg_rules_remove() refuse.
 */
int reg_delete(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre, struct err *e);

/*
 * reg_delete_tags - remove many tags, durably, as DELETE by tag removes one; manifests stay
 * The caller holds the repository's lock, and has read there what each tag points to. `trashed` gets the paths to give to
 * store_purge_all() once the lock is released. 0, or -1 with *e: some may be removed.
 */
struct reg_tag_target {
	struct tag tag;
	struct digest digest;           /* what it points to */
};

int reg_delete_tags(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, struct names *trashed, struct err *e);

/* reg_delete_cached_tags - the same of what was only fetched from another registry: neither the journal nor `undo` hears of it */
int reg_delete_cached_tags(struct registry *r, const struct name *n, const struct reg_tag_target *v, size_t count, struct names *trashed,
			   struct err *e);

#endif
