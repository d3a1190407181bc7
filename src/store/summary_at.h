/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_SUMMARY_AT_H
#define BERTH_STORE_SUMMARY_AT_H

/*
 * summary_at: where a walk through a summary begins that leaves out so many rows, without a look at these (store/summary.h).
 *
 * Nothing says how many rows a block has, only how many bytes. So it is about there: exact if all rows were of one length, and off by the
 * rows of half a block otherwise, or a little more where long rows stand together: close to the end it may be behind the last one.
 */

#include <stdbool.h>
#include <stdint.h>
#include "store/summary.h"

struct summary_place {
	bool begins;                    /* the walk begins behind this row (summary_walk's `after`); false: with the first one */
	struct summary_row after;       /* its key is borrowed from the summary */
	uint64_t skip;                  /* rows from there that are left out, too: at most about those of a block */
};

/* summary_at - the place before which there are about `before` rows in this order, after summary_settle() */
void summary_at(const struct summary *s, enum summary_order by, bool desc, uint64_t before, struct summary_place *out);

#endif
