/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_SUMMARY_H
#define BERTH_REGISTRY_REG_SUMMARY_H

/*
 * reg_summary: the summary of a repository's tags, a part of its index (doc/STORE.md, "Indexes and epochs").
 *
 * Whoever changes a tag, or what refers to a manifest, holds the repository's lock and says so before and after the change:
 *
 *	cleanup_summary_change struct summary_change c;
 *	if (reg_summary_will_tag(r, n, &tag, exists, &c, e) < 0) ...
 *	... the change ...
 *	reg_summary_tagged(&c, ...);
 *	reg_summary_done(&c);           the list of repositories is told, too
 */

#include "registry/reg_row.h"
#include "store/summary_write.h"
#include "store/touched.h"

struct summary_change {
	struct registry *r;
	const struct name *n;
	struct str path, lines;
	struct summary_writer w;
	struct touched t;
};

void reg_summary_leave(struct summary_change *c);
#define cleanup_summary_change __attribute__((cleanup(reg_summary_leave)))
#define SUMMARY_CHANGE_INIT { .path = STR_INIT, .lines = STR_INIT, .w = { .fd = -1 }, .t = { .fd = -1 } }

/* reg_summary_done - the change is made */
void reg_summary_done(struct summary_change *c);

/* reg_summary_is_kept - whether there is a summary to say anything to: what is only needed for it need not be found out otherwise */
bool reg_summary_is_kept(const struct summary_change *c);

/*
 * Of a tag that is about to be set: reg_summary_will_tag, then reg_summary_tagged with its row. Of tags that are about to go: reg_summary_will_untag,
 * then reg_summary_untagged; `stride`: bytes from one tag to the next.
 */
int reg_summary_will_tag(struct registry *r, const struct name *n, const struct tag *t, bool exists, struct summary_change *c, struct err *e);
void reg_summary_tagged(struct summary_change *c, const struct tag_row *row);
int reg_summary_will_untag(struct registry *r, const struct name *n, const struct tag *tags, size_t count, size_t stride, struct summary_change *c,
			   struct err *e);
void reg_summary_untagged(struct summary_change *c, const struct tag *tags, size_t count, size_t stride);

/*
 * reg_summary_add_referrer  - index_add_referrer(), before the manifest's link is there; then reg_summary_referred: its subject has one more
 * reg_summary_will_unrefer  - right before the manifest's link goes: from now on those of its subject are counted until the summary is written
 *                             anew. refers: as reg_stored_subject() says; 0: nothing is done, -1: those of all are counted
 * reg_summary_unreferred    - after that: index_remove_referrer()
 */
int reg_summary_add_referrer(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d,
			     const struct str *descriptor, struct summary_change *c, struct err *e);
void reg_summary_referred(struct summary_change *c, const struct digest *subject, const struct str *descriptor);
int reg_summary_will_unrefer(struct registry *r, const struct name *n, int refers, const struct digest *subject, struct err *e);
void reg_summary_unreferred(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d);

/*
 * reg_summary_build - write it by the links; the caller holds the lock, and the index is current but for this
 * Where it can't be written it is removed: readers do without. Only if that fails, too, it is an error. 0, or -1 with *e
 */
int reg_summary_build(struct registry *r, const struct name *n, struct err *e);

/*
 * reg_summary_open - open it for a reader, with what is in doubt looked at; s is SUMMARY_INIT: 1, 0 there is none, -1 with *e
 * It acquires no lock.
 */
int reg_summary_open(struct registry *r, const struct name *n, struct summary *s, struct err *e);

/*
 * reg_summary_tidy - after a list has been read: say these notes (store/summary_note.h), and write the file anew if it is `due`
 * If somebody else has the repository's lock, neither is done. A failure is ignored.
 */
void reg_summary_tidy(struct registry *r, const struct name *n, const struct str *notes, bool due);

#endif
