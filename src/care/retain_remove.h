/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_REMOVE_H
#define BERTH_CARE_RETAIN_REMOVE_H

/* retain_remove: remove tags that a decision lets go, while others push and pull. */

#include "base/err.h"
#include "care/retain_read.h"

struct retain_removing {
	const struct retain_reading *rd;
	const struct retain_set *s;     /* that was decided */
	bool orphans;                   /* only tags that are RETAIN_ORPHAN */
	void (*removed)(void *arg, const struct retain_tag *t);
	void *arg;
	uint64_t before;                /* how many this run has removed already */
	uint64_t changed;               /* tags that stay since they changed */
};

/*
 * retain_remove - remove them in batches under the repository's lock, as DELETE by tag does
 * Returns 0; 1 if what the decision rests on has changed, so that it has to be made anew; -1 with *e.
 */
int retain_remove(struct retain_removing *rm, struct err *e);

#endif
