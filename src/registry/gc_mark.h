/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_GC_MARK_H
#define BERTH_REGISTRY_GC_MARK_H

/* gc_mark: the first half of a collection, for one repository: which content it names, and which links nothing names. */

#include "base/digestset.h"
#include "base/err.h"
#include "os/dir.h"
#include "registry/gc_work.h"

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
	struct names names;             /* of the repositories that have candidates */
	struct gc_candidates links;     /* that nothing in their repository names, those of one repository together */
};

#define GC_MARKS_INIT { .names = NAMES_INIT }

void gc_candidates_add(struct gc_candidates *c, size_t repository, const struct digest *d);
void gc_marks_release(struct gc_marks *m);

/*
 * gc_mark_repository - add to the marks what a repository names, and those of its links that nothing in it names
 *
 * Returns 0, or -1 with *e: then something could not be read, and nothing may be deleted.
 */
int gc_mark_repository(struct gc_work *w, const struct name *n, struct gc_marks *m, struct err *e);

#endif
