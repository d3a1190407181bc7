/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_TAG_ROWS_H
#define BERTH_REGISTRY_REG_TAG_ROWS_H

/* reg_tag_rows: the tags of a repository with what is known of each, in several orders (doc/PAGE.md, "The API"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/reg_order.h"
#include "registry/reg_row.h"
#include "registry/registry.h"

struct tag_query {
	struct order order;
	const char *q;                  /* only tags that contain this text; "": all */
	size_t max;                     /* rows; at least 1 */
	bool placed;                    /* begin, without a cursor, behind about so many entries as this, but with a whole page: */
	uint64_t at;                    /* out: before how many it did; exact where all had to be read */

	struct str back;                /* out, owned by the caller: if placed, the cursor of the page before in the other direction; "": none */
	struct str next;                /* out, owned by the caller: the cursor of the next page; "": this is the last one */
	bool counted;                   /* out */
	uint64_t total;                 /* counted: how many tags there are, or those that contain q */
};

/*
 * reg_tag_rows - visit the rows of a page
 * visit  the row is borrowed until it returns; 0 to go on, -1 with *e
 * NAME_UNKNOWN 404; UNSUPPORTED 400 for more than ORDER_MAX tags where they all have to be read, or for a place in a list of unknown length.
 */
int reg_tag_rows(struct registry *r, const struct name *n, struct tag_query *q, int (*visit)(void *arg, const struct tag_row *row, struct err *e),
		 void *arg, struct err *e);

/* reg_tag_row_json - add the object TAG */
void reg_tag_row_json(const struct tag_row *row, struct str *out);

#endif
