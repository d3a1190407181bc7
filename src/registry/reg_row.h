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
	int64_t pulled;                 /* seconds since the epoch, to the hour; 0: never, as far as is known */
};

#define TAG_ROW_INIT { .facts = FACTS_INIT, .by = STR_INIT }
void reg_row_release(struct tag_row *row);
#define cleanup_tag_row __attribute__((cleanup(reg_row_release)))

/* Facts of manifests that several tags have, as far as there is room; a slot's digest may be that of another manifest. */
#define ROW_FACTS 1024
struct row_facts {
	struct digest digest;
	struct facts facts;
};

void reg_row_facts_release(struct row_facts *slots);

/* What a row may be read from besides the links. */
struct row_source {
	bool indexed;                   /* the index is current: referrers are counted */
	/* a row of this tag that was right once: what follows from the digest is taken from it if that is the same; or NULL */
	const struct summary_row *old;
	struct row_facts *facts;        /* ROW_FACTS slots; or NULL */
};

/*
 * reg_row_read   - a row by the links: 1, 0 there is no such tag, -1 with *e
 * reg_row_refers - whether manifest d is one of those that refer to another, by the index: its descriptor, with 1; 0, -1 with *e
 * reg_row_count  - what refers to a manifest, by the index, which has to be current: up to 100 of them
 * reg_row_pulled - when its tag was pulled last, into the row: 0, or -1 with *e
 */
int reg_row_read(struct registry *r, const struct name *n, const struct tag *t, const struct row_source *from, struct tag_row *row, struct err *e);
int reg_row_refers(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d, struct str *descriptor,
		   struct err *e);
int reg_row_count(struct registry *r, const struct name *n, const struct digest *d, unsigned counts[KIND_COUNT], struct err *e);
int reg_row_pulled(struct registry *r, const struct name *n, struct tag_row *row, struct err *e);

/*
 * Of a push of an index the bytes are not summed up, since that costs some calls for each manifest that it names: the first list that shows it does.
 * ROW_PUSH_BUDGET, reg_row_put_off - what may be read of a manifest that is pushed; then its bytes count as unknown, if it is an index
 * reg_row_unsummed - whether a row lacks them; reg_row_sum - sum them up, within a budget; false: they stay unknown
 */
#define ROW_PUSH_BUDGET { 0, 16u << 20 }
void reg_row_put_off(struct facts *f);
bool reg_row_unsummed(const struct tag_row *row);
bool reg_row_sum(struct registry *r, const struct name *n, struct tag_row *row, struct facts_budget *budget);

/* reg_row_line - add it as a row of a summary; reg_row_parse - read one, and what notes say of it; row is TAG_ROW_INIT: 0, or -1 */
void reg_row_line(const struct tag_row *row, struct str *line);
int reg_row_parse(struct tag_row *row, const struct summary_row *from);

#endif
