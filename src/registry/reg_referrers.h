/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_REFERRERS_H
#define BERTH_REGISTRY_REG_REFERRERS_H

/* reg_referrers: the manifests that name another one as their subject (distribution-spec, "Listing Referrers"). */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

#define REFERRERS_PAGE_MAX (4u * 1024 * 1024 - 256)     /* bytes of a page without its frame; one descriptor at least */

struct referrers_query {
	struct digest subject;          /* need not be here itself */
	const char *artifact_type;      /* only of this type; NULL: of any */
	const char *last;               /* only digests greater than this, as text; NULL: from the first */
	size_t max_bytes;
};

/*
 * reg_referrers_page - descriptors as JSON, separated by commas, in byte order of their digests
 * next  where there may be more: the digest after which they begin; else empty
 *
 * A page holds at most 1000, and ends, empty even, where it has looked at as much as a page may: of what a filter leaves out, and
 * of a read-only store's manifests, since no index can be kept there.
 * A descriptor is listed only if its manifest is here at this moment. A repository that does not exist has none.
 */
int reg_referrers_page(struct registry *r, const struct name *n, const struct referrers_query *q, struct str *out,
		       struct str *next, struct err *e);

#endif
