/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_REPO_ROWS_H
#define BERTH_REGISTRY_REG_REPO_ROWS_H

/* reg_repo_rows: the repositories with what is known of each, in several orders (doc/PAGE.md, "The API"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "conf/rules.h"
#include "conf/upstream.h"
#include "registry/reg_order.h"
#include "registry/reg_repo_list.h"
#include "registry/reg_walk.h"
#include "registry/registry.h"

struct repo_row {
	struct repo_note note;
	const struct config_upstream *mirror;   /* NULL: it mirrors none */
	unsigned rules;                 /* bits of enum rule_member: what a rule says of it */
};

struct repo_query {
	struct order order;
	const char *q;                  /* only names that contain this text; "": all */
	size_t max;                     /* rows; at least 1 */
	const struct repo_filter *of;   /* the repositories that the caller may see; NULL: all */

	int64_t as_of;                  /* out: when sizes were measured, seconds since the epoch; 0: never */
	struct str next;                /* out, owned by the caller: the cursor of the next page; "": this is the last one */
	bool counted;                   /* out */
	uint64_t total;                 /* counted: how many repositories the caller may see, or those that contain q */
};

/*
 * reg_repo_rows - visit the rows of a page
 * visit  the row is borrowed until it returns; 0 to go on, -1 with *e
 * UNSUPPORTED 400 for more than ORDER_MAX repositories where they all have to be read.
 */
int reg_repo_rows(struct registry *r, struct repo_query *q, int (*visit)(void *arg, const struct repo_row *row, struct err *e), void *arg,
		  struct err *e);

/*
 * reg_repo_row - the row of one repository: 1, 0 there is no such repository, -1 with *e. Nothing is said of its bytes
 * links  as for reg_repo_note()
 */
int reg_repo_row(struct registry *r, const struct name *n, size_t *links, struct repo_row *row, struct err *e);

/*
 * reg_repo_row_json - add the object REPO
 * whole  with what it shares with other repositories: for who may see all of them
 */
void reg_repo_row_json(const struct repo_row *row, bool whole, struct str *out);

#endif
