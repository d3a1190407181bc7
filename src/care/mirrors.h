/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MIRRORS_H
#define BERTH_CARE_MIRRORS_H

/* mirrors: the repositories that mirror other registries', without a look at any other one. */

#include "base/err.h"
#include "base/ref.h"
#include "conf/upstream.h"
#include "registry/registry.h"

/*
 * mirrors_each - visit the mirrored repositories that are copies (store/mirror.h), of each upstream in byte order of their names
 * u      only those of this upstream; NULL: all
 * visit  returns 0 to go on; any other value ends the walk and is returned. -1 with *e
 */
typedef int mirror_visit(void *arg, const struct name *n, const struct config_upstream *u, struct err *e);
int mirrors_each(struct registry *r, const struct config_upstream *u, mirror_visit *visit, void *arg, struct err *e);

/* mirrors_warn - say in the log how many repositories have an upstream's name and are no copies, if any are */
void mirrors_warn(struct registry *r);

#endif
