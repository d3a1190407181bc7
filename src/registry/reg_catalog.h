/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_CATALOG_H
#define BERTH_REGISTRY_REG_CATALOG_H

/* reg_catalog: the list of repositories in pages (Docker Registry HTTP API V2, "Listing Repositories"). */

#include <stdbool.h>
#include "base/err.h"
#include "os/dir.h"
#include "registry/reg_walk.h"

/*
 * reg_catalog_page - append repositories in byte order to *out
 * last  only names greater than this, which need not exist; NULL: from the first
 * max   the largest number of names
 * of    the repositories that the caller may see; NULL: all
 * more  set to whether more names may follow
 *
 * A page may have fewer than `max` names although more follow, since the names examined for a page are limited; it
 * has at least one then.
 */
int reg_catalog_page(struct registry *r, const char *last, size_t max, const struct repo_filter *of, struct names *out,
		     bool *more, struct err *e);

#endif
