/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_MARK_H
#define BERTH_CARE_GC_MARK_H

/* gc_mark: the first half of a collection: which content the repositories name, and which of their links nothing names. */

#include "base/digestset.h"
#include "base/err.h"
#include "care/gc_work.h"
#include "os/dir.h"

struct gc_candidate {
	size_t repository;              /* index in the names of the marks; 0 for a blob */
	struct digest d;
};

struct gc_candidates {
	struct gc_candidate *v;
	size_t count, cap;
};

struct gc_marks {
	struct digestset kept;          /* content that something names */
	struct names names;             /* of all repositories */
	struct gc_candidates links;     /* that nothing in their repository names, those of one repository together */
};

#define GC_MARKS_INIT { .names = NAMES_INIT }

void gc_candidates_add(struct gc_candidates *c, size_t repository, const struct digest *d);
void gc_marks_release(struct gc_marks *m);

/*
 * gc_candidates_record - all of them as one record of a helper's report
 * gc_candidates_accept - add those of such a record; 0, or -1 with *e
 */
void gc_candidates_record(const struct gc_candidates *c, char type, struct str *out);
int gc_candidates_accept(struct gc_candidates *c, const char *data, size_t len, struct err *e);

/*
 * gc_mark - read all that names something
 *
 * Where there are many repositories processes share them, but not in a dry run that looks for what is untagged.
 * Returns 0, or -1 with *e: then something could not be read, and nothing may be deleted.
 */
int gc_mark(struct gc_work *w, struct gc_marks *m, struct err *e);

#endif
