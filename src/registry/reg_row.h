/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_ROW_H
#define BERTH_REGISTRY_REG_ROW_H

/* reg_row: what a list says of a tag, by its links or by a summary (store/summary.h). */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "registry/reg_facts.h"
#include "registry/reg_kind.h"
#include "registry/registry.h"
#include "store/summary.h"

#define ROW_BY_MAX 64           /* bytes of a user's name */

struct tag_row {
	struct tag tag;
	struct digest digest;
	uint64_t pushed;                /* microseconds since the epoch */
	struct facts facts;             /* media_type "": the manifest can't be read */
	unsigned referrers[KIND_COUNT];
	bool immutable;                 /* by the configuration; not in a summary */
	struct str by;                  /* who pushed it; "": not known */
};

#define TAG_ROW_INIT { .facts = FACTS_INIT, .by = STR_INIT }
void reg_row_release(struct tag_row *row);
#define cleanup_tag_row __attribute__((cleanup(reg_row_release)))

/*
 * reg_row_read  - a row by the links: 1, 0 there is no such tag, -1 with *e
 *                 old: a row of this tag that was right once: what follows from the digest is taken from it if that is the same; may be NULL
 * reg_row_count - what refers to a manifest, by the index, which has to be current: up to 100 of them
 */
int reg_row_read(struct registry *r, const struct name *n, const struct tag *t, bool indexed, const struct summary_row *old, struct tag_row *row,
		 struct err *e);
int reg_row_count(struct registry *r, const struct name *n, const struct digest *d, unsigned counts[KIND_COUNT], struct err *e);

/* reg_row_line - add it as a row of a summary; reg_row_parse - read one; row is TAG_ROW_INIT: 0, or -1 */
void reg_row_line(const struct tag_row *row, struct str *line);
int reg_row_parse(struct tag_row *row, const struct summary_row *from);

#endif
