/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_QUOTA_COUNT_H
#define BERTH_STORE_QUOTA_COUNT_H

/* quota_count: what a group has, from the links themselves. */

#include "base/digest.h"
#include "base/err.h"
#include "store/quota_rules.h"
#include "store/quota_table.h"
#include "store/walk.h"

enum quota_kind { QUOTA_LAYER, QUOTA_REVISION };

/* quota_path - the directory of a link */
void quota_path(struct str *p, const struct name *n, enum quota_kind kind, const struct digest *called);

/*
 * quota_link - whether a repository has this link: 1 with the digest of the content, 0 it has none, or one without a digest, -1
 * called  the digest that the link's directory is named after
 */
int quota_link(struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called, struct digest *target,
	       struct err *e);

/* quota_size - the size of content in bytes, as it counts: 0 if there is none */
int quota_size(struct store *st, const struct digest *content, uint64_t *size, struct err *e);

/* quota_each - visit each link of a repository; visit gets the content's digest. It returns 0 to go on, or another value that ends the walk */
int quota_each(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e);

/*
 * quota_count - count all links of a group
 * Nobody makes or removes one meanwhile: the caller holds the group's lock. It reads each link and looks at each content, so it may take
 * long.
 */
int quota_count(struct store *st, const struct quota_group *g, struct quota_memory *m, struct err *e);

#endif
