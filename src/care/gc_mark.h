/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_MARK_H
#define BERTH_CARE_GC_MARK_H

/* gc_mark: the first half of a collection: the content that repositories name, and the links that nothing names. */

#include "base/digestset.h"
#include "base/err.h"
#include "care/gc_work.h"
#include "os/dir.h"

struct gc_candidate {
	size_t repository;              /* index in gc_marks.names; 0 for a blob */
	struct digest d;
};

struct gc_candidates {
	struct gc_candidate *v;
	size_t count, cap;
};

struct gc_marks {
	struct digestset kept;          /* content that something names */
	struct names names;             /* of all repositories */
	struct gc_candidates links;     /* that nothing in their repository names, grouped by repository */
};

#define GC_MARKS_INIT { .names = NAMES_INIT }

void gc_candidates_add(struct gc_candidates *c, size_t repository, const struct digest *d);
void gc_marks_release(struct gc_marks *m);

/*
 * gc_candidates_record - in a helper: add all of them to `out` as one record
 * gc_candidates_accept - add the candidates of such a record; 0, or -1 with *e
 */
void gc_candidates_record(const struct gc_candidates *c, char type, struct str *out);
int gc_candidates_accept(struct gc_candidates *c, const char *data, size_t len, struct err *e);

/*
 * gc_mark - read everything that names content
 * Several processes share many repositories. Returns 0, or -1 with *e: something could not be read, so nothing may be deleted.
 */
int gc_mark(struct gc_work *w, struct gc_marks *m, struct err *e);

#endif
