/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_UNTAG_FREES_H
#define BERTH_CARE_UNTAG_FREES_H

/*
 * untag_frees: what becomes of manifests and content if tags go (doc/PAGE.md, "Deleting").
 *
 * A manifest stays as long as a tag points to it, an index that stays names it, or what it refers to stays. Content stays as long as a
 * manifest that stays names it. Other repositories are not looked at: they may keep content, too.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/reg_untag.h"
#include "registry/registry.h"

#define FREES_MANIFESTS 2000            /* of a repository, of which it is found out: all of them are read */

struct untag_frees {
	bool known;                     /* false: the repository is too large to find it out in a request */
	uint64_t bytes;                 /* of content that no manifest with a tag needs any more */
	struct untag_list kept;         /* digests that lose a tag and stay; why: a tag because of which */
};

#define UNTAG_FREES_INIT { .kept = UNTAG_LIST_INIT }

/* untag_frees - find it out without a lock; the caller releases out->kept. 0, or -1 with *e */
int untag_frees(struct registry *r, const struct name *n, const struct untag_list *goes, struct untag_frees *out, struct err *e);

#endif
