/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_WALK_H
#define BERTH_REGISTRY_REG_WALK_H

/* reg_walk: the repositories that there are for whoever asks, at a cost that does not grow with those that there are. */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "registry/registry.h"

/* Which repositories there are, for whoever asks: the others are as if they were not there. A NULL filter: all. */
struct repo_filter {
	bool (*has)(void *arg, const struct name *n);
	void *arg;
	struct names patterns;          /* base/pattern.h; has() is true of nothing that none of them means. Owned */
};

#define REPO_FILTER_INIT { .patterns = NAMES_INIT }
void repo_filter_release(struct repo_filter *of);
#define cleanup_repo_filter __attribute__((cleanup(repo_filter_release)))

enum { REG_WALK_STOPPED = 1, REG_WALK_TIRED = 2 };

/*
 * reg_walk - visit repositories in byte order of their names
 * after  only those greater than this ("": all); need not exist
 * looks  at how many names to look at most, those among them that the filter leaves out; gets how many are left
 * least  but not before so many have been visited
 * visit  returns 0 to go on, 1 to stop, -1 with *e
 *
 * Only names that begin as one of the filter's patterns does are looked at. Returns 0 where there are no more, else one of
 * the above, or -1 with *e. On a read-only store, where no catalog can be kept, the directories are read as well.
 */
int reg_walk(struct registry *r, const struct repo_filter *of, const char *after, size_t *looks, size_t least,
	     int (*visit)(void *arg, const struct name *n, struct err *e), void *arg, struct err *e);

#endif
