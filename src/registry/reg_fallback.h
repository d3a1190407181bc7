/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_FALLBACK_H
#define BERTH_REGISTRY_REG_FALLBACK_H

/* reg_fallback: the links of store/fallback.h, made for what is there already. */

#include "base/err.h"
#include "base/ref.h"
#include "registry/registry.h"

/*
 * reg_fallback_fill - make those of a repository that are missing; takes the repository's lock, for each tag anew
 * reg_fallback_fill_all - of all repositories; what an earlier epoch left is removed first
 * Nothing where the configuration does not want them. 0, or -1 with *e.
 */
int reg_fallback_fill(struct registry *r, const struct name *n, struct err *e);
int reg_fallback_fill_all(struct registry *r, struct err *e);

#endif
