/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CACHE_REFS_H
#define BERTH_CMD_CACHE_REFS_H

/* cache_refs: the images that a command is about (doc/CACHE.md, "Commands"). */

#include "cmd/cache_cmd.h"
#include "cmd/cache_ref.h"

/*
 * cache_each_ref - do it for each image of the command line and of its list; all are checked before the first
 * one  0, or -1 with *e: that is printed, and the others follow
 * Returns an enum cmd_status.
 */
typedef int cache_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e);
int cache_each_ref(struct registry *r, const struct cache_call *c, cache_one *one, void *arg);

#endif
