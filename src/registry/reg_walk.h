/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_WALK_H
#define BERTH_REGISTRY_REG_WALK_H

/* reg_walk: the repositories that a caller may see, at a cost that does not grow with the number of all repositories. */

#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "registry/registry.h"

/* The repositories that a caller may see; the others are treated as absent. A NULL filter: all. */
struct repo_filter {
	bool (*has)(void *arg, const struct name *n);
	void *arg;
	struct names patterns;          /* owned; base/pattern.h. has() is false for every name that matches none of them */
};

#define REPO_FILTER_INIT { .patterns = NAMES_INIT }
void repo_filter_release(struct repo_filter *of);
#define cleanup_repo_filter __attribute__((cleanup(repo_filter_release)))

enum { REG_WALK_STOPPED = 1, REG_WALK_LIMIT = 2 };

/*
 * reg_walk - visit repositories in byte order of their names
 * after   only names greater than this ("": all), which need not exist
 * budget  the largest number of names to examine, filtered ones included; decreased by the number examined
 * least   the number of repositories to visit before that limit applies
 * visit   returns 0 to go on, 1 to stop, -1 with *e
 *
 * Only names that begin like one of the filter's patterns are examined. Returns 0 at the end of the names,
 * REG_WALK_STOPPED if visit() stopped the walk, REG_WALK_LIMIT at the limit, or -1 with *e. A read-only store cannot keep
 * a catalog: there the directories are read.
 */
int reg_walk(struct registry *r, const struct repo_filter *of, const char *after, size_t *budget, size_t least,
	     int (*visit)(void *arg, const struct name *n, struct err *e), void *arg, struct err *e);

#endif
