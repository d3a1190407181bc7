/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_RETAIN_EXPLAIN_H
#define BERTH_CARE_RETAIN_EXPLAIN_H

/* retain_explain: why one tag stays or goes, and until when (for `berth rules explain`). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "conf/rules.h"
#include "registry/registry.h"

struct retain_answer {
	bool kept;
	const struct rule *rule;        /* whose `keep` is in force, borrowed; NULL: none says keep, so no tag goes */
	size_t entry;                   /* of the rule, the first that keeps it; SIZE_MAX: another reason, which the text says */
	int64_t until;                  /* kept by entries: see retain_until(), seconds since the epoch; 0: time alone does not end it */
	int64_t from;                   /* the rule deletes from then on only, since it is new; 0: now */
	int64_t pushed;                 /* seconds since the epoch */
	int64_t pulled;                 /* seconds, to the hour; INT64_MIN: never */
	struct str text;                /* one line in words: "kept by FILE:LINE: ...", "goes because ..." */
};

#define RETAIN_ANSWER_INIT { .text = STR_INIT }
void retain_answer_release(struct retain_answer *a);
#define cleanup_retain_answer __attribute__((cleanup(retain_answer_release)))

/*
 * retain_explain - decide as a run would do now; changes nothing, and acquires no lock
 * All tags of the repository are read, since which are the newest depends on all. Returns 1, 0 if there is no such tag, -1 with *e; the
 * caller releases *out in any case.
 */
int retain_explain(struct registry *r, const struct name *n, const struct tag *t, struct retain_answer *out, struct err *e);

#endif
