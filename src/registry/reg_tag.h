/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_TAG_H
#define BERTH_REGISTRY_REG_TAG_H

/* reg_tag: the tags of a repository, a page at a time (distribution-spec, "Listing Tags"). */

#include <stdbool.h>
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "registry/registry.h"

/*
 * reg_tag_page - tags in byte order
 * last  only those greater than this; need not exist; NULL: from the first
 * max   at most so many
 * out   the tags
 * more  whether there are further ones behind
 * none  whether the repository has no tag at all (told only where the page is empty and max is not 0)
 *
 * NAME_UNKNOWN 404 where there is no such repository.
 */
int reg_tag_page(struct registry *r, const struct name *n, const char *last, size_t max, struct names *out, bool *more,
		 bool *none, struct err *e);

#endif
