/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_UNDO_H
#define BERTH_STORE_UNDO_H

/*
 * undo: marks for what a repository has lost: tags that were moved or deleted, manifests that were deleted by their digest
 * (doc/RULES.md, "Undo").
 *
 * A mark is a file whose name says all: time, what happened, digest and tag. In it is who did it, if that is known: "USER\n", percent-encoded;
 * that is not flushed, and may be lost. A mark is written before the change, so it may say too much, never too little. How long marks
 * count is the caller's business.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "os/dir.h"
#include "store/store.h"

#define UNDO_BY_MAX 64

enum undo_kind {
	UNDO_MOVED,             /* the tag was set to another manifest */
	UNDO_DELETED,           /* the tag was deleted, perhaps with its manifest */
	UNDO_MANIFEST,          /* the manifest was deleted; it has no tag */
	UNDO_KINDS
};

struct undo_mark {
	uint64_t usec;          /* when, since the epoch, by the clock of the file system (store/clock.h) */
	enum undo_kind kind;
	struct digest digest;
	struct tag tag;         /* of length 0: UNDO_MANIFEST */
};

/* undo_name - the name of a mark's file; undo_parse - read one: 0, or -1 if it is none */
void undo_name(const struct undo_mark *m, struct str *out);
int undo_parse(struct undo_mark *m, const char *name, size_t len);

/*
 * undo_add   - write a mark; the caller holds the repository's lock. 0, or -1 with *e
 * by         the user who makes the change, of whose name UNDO_BY_MAX bytes are kept; "": not known
 * keep       seconds that marks count. The first mark that a process writes, and each 256th, also removes those of the repository
 *            that are older, and all but the last of each tag and digest: so their number is bounded without a collection, too
 * undo_flush - make the marks durable, before what they speak of is changed. On an ordered file system the flush that the change
 *              ends with does that, and this does nothing
 */
int undo_add(struct store *st, const struct name *n, enum undo_kind kind, const struct tag *t, const struct digest *d, const char *by,
	     uint64_t keep, struct err *e);
int undo_flush(struct store *st, const struct name *n, struct err *e);

/*
 * undo_read - all marks of a repository, in the order of their times; 0, or -1 with *e
 * Acquires no lock. Names that are no marks are left out.
 */
struct undo_marks {
	struct undo_mark *v;    /* owned */
	size_t count, cap;
};

#define UNDO_MARKS_INIT { 0 }
void undo_marks_release(struct undo_marks *m);
#define cleanup_undo_marks __attribute__((cleanup(undo_marks_release)))
int undo_read(struct store *st, const struct name *n, struct undo_marks *out, struct err *e);

/* undo_by - who made the change of a mark: 1, 0 not known, -1 with *e */
int undo_by(struct store *st, const struct name *n, const struct undo_mark *m, struct str *by, struct err *e);

/* undo_counts - whether a mark of this time counts now, both in microseconds: for `keep` seconds, and as long as it is in the future */
bool undo_counts(uint64_t usec, uint64_t now, uint64_t keep);

/*
 * undo_prune - remove the marks of a list that do not count, and those that a later one of the same tag and digest replaces
 * It needs no lock, and a failure does not matter.
 */
void undo_prune(struct store *st, const struct name *n, const struct undo_marks *m, uint64_t now, uint64_t keep);

/*
 * Of whole repositories, under the repository's lock; 0, or -1 with *e.
 * undo_copy   - write all marks of `from` for `to` as well, durably: before the repository gets that name
 * undo_remove - remove all marks of a repository; `trashed` gets paths for store_purge_all()
 */
int undo_copy(struct store *st, const struct name *from, const struct name *to, struct err *e);
int undo_remove(struct store *st, const struct name *n, struct names *trashed, struct err *e);

#endif
