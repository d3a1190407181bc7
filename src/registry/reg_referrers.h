/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_REFERRERS_H
#define BERTH_REGISTRY_REG_REFERRERS_H

/* reg_referrers: the manifests whose subject is a given digest (distribution-spec, "Listing Referrers"). */

#include <stdbool.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

#define REFERRERS_PAGE_MAX (4u * 1024 * 1024 - 256)     /* bytes of a page without the JSON around the descriptors */

struct referrers_query {
	struct digest subject;          /* need not exist */
	const char *artifact_type;      /* only referrers of this type; NULL: of any */
	const char *last;               /* only digests greater than this text; NULL: from the first */
	size_t max_bytes;               /* of *out; a single descriptor may exceed it */
};

/*
 * reg_referrers_page - set *out to descriptors as JSON, separated by commas, in byte order of their digests
 * next  set to the digest after which the next page begins, or empty if there are no more
 *
 * A page has at most 1000 descriptors. It may have fewer, or none, although more follow: the entries examined for a page
 * are limited, those that the filter leaves out included. On a read-only store, which cannot keep an index, these are all
 * manifests of the repository.
 * A descriptor is listed only if its manifest exists at this moment. The list of a repository that does not exist is empty.
 */
int reg_referrers_page(struct registry *r, const struct name *n, const struct referrers_query *q, struct str *out,
		       struct str *next, struct err *e);

#endif
