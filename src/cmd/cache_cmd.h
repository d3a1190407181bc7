/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CACHE_CMD_H
#define BERTH_CMD_CACHE_CMD_H

/* cache_cmd: the verbs of `berth cache` that have files of their own (doc/CACHE.md, "Commands"). */

#include <stdbool.h>
#include <stddef.h>
#include "cmd/cache_ref.h"
#include "cmd/cmd.h"
#include "os/dir.h"

#define CACHE_PLATFORMS_MAX 16

struct cache_call {
	bool json;
	const char *file;               /* --file, NULL: none */
	const char *relay;              /* --relay */
	const char *platforms[CACHE_PLATFORMS_MAX];     /* each valid */
	size_t nplatforms;
	char **words;                   /* behind the verb, without options */
	size_t count;
};

/*
 * cache_each_ref - do it for each image of the command line and of its list; all are checked before the first
 * one  0, or -1 with *e: that is printed, and the others follow
 * Returns an enum cmd_status.
 */
typedef int cache_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e);
int cache_each_ref(struct registry *r, const struct cache_call *c, cache_one *one, void *arg);

/* Each gets a struct cache_call as its argument. */
cmd_work cache_list, cache_warm;

#endif
