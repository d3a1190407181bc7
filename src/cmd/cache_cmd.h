/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CMD_CACHE_CMD_H
#define BERTH_CMD_CACHE_CMD_H

/* cache_cmd: the verbs of `berth cache` that have files of their own (doc/CACHE.md, "Commands"). */

#include <stdbool.h>
#include <stddef.h>
#include "cmd/cmd.h"

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

/* Each gets a struct cache_call as its argument. */
cmd_work cache_list, cache_warm;

#endif
