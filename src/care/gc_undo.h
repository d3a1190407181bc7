/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_UNDO_H
#define BERTH_CARE_GC_UNDO_H

/* gc_undo: the manifests that the marks of a repository keep, as its tags do (store/undo.h; doc/RULES.md, "Undo"). */

#include <stdbool.h>
#include <stddef.h>
#include "base/digest.h"
#include "base/digestlist.h"
#include "base/err.h"
#include "base/ref.h"
#include "care/gc_work.h"

struct gc_remembered {
	struct digest_list list;        /* each once */
	bool keep_all;                  /* one of them cannot be read, so what it keeps is unknown */
};

#define GC_REMEMBERED_INIT { 0 }
void gc_remembered_release(struct gc_remembered *m);
#define cleanup_gc_remembered __attribute__((cleanup(gc_remembered_release)))

/*
 * gc_undo - what the marks that count now are of, and the manifests below them that have no link any more: what a remembered
 *           index names may have been deleted, too
 * prune   remove the marks that do not count any more
 *
 * Call it after tags and manifests have been read: a mark is written before either goes, so each of them is seen, or its mark.
 * Acquires no lock. Returns 0, or -1 with *e: marks that cannot be read may keep anything.
 */
int gc_undo(struct gc_work *w, const struct name *n, bool prune, struct gc_remembered *out, struct err *e);

#endif
