/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_TAG_H
#define BERTH_REGISTRY_REG_TAG_H

/* reg_tag: the list of a repository's tags in pages (distribution-spec, "Listing Tags"). */

#include <stdbool.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/registry.h"

/*
 * reg_tag_page - append tags in byte order to *out, a newline after each
 * last  only tags greater than this, which need not exist; NULL: from the first
 * max   the largest number of tags
 * more  set to whether more tags follow
 * none  set to whether the repository has no tags at all (only if the page is empty and max is not 0)
 *
 * NAME_UNKNOWN 404 if there is no such repository.
 */
int reg_tag_page(struct registry *r, const struct name *n, const char *last, size_t max, struct str *out, bool *more,
		 bool *none, struct err *e);

#endif
