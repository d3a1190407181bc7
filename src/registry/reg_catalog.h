/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_CATALOG_H
#define BERTH_REGISTRY_REG_CATALOG_H

/* reg_catalog: the repositories of a registry, a page at a time (Docker Registry HTTP API V2, "Listing Repositories"). */

#include <stdbool.h>
#include "base/err.h"
#include "os/dir.h"
#include "registry/reg_walk.h"

/*
 * reg_catalog_page - repositories in byte order
 * last  only those greater than this; need not exist; NULL: from the first
 * max   at most so many
 * more  whether there may be further ones behind
 * of    those that are listed
 *
 * A page may hold fewer than `max` with more behind it, but then one at least: it ends where it has looked at enough.
 */
int reg_catalog_page(struct registry *r, const char *last, size_t max, const struct repo_filter *of, struct names *out,
		     bool *more, struct err *e);

#endif
