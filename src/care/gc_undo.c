/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_undo: what marks keep.
 *
 * Owns no state. A manifest that still has its link is found, with what it names, by whoever walks the links: so only those
 * without one are followed.
 */
#include "care/gc_undo.h"

#include "registry/reg_mark.h"
#include "registry/reg_stored.h"
#include "store/revision.h"
#include "store/undo.h"

#define USEC UINT64_C(1000000)

struct following {
	struct gc_work *w;
	const struct name *n;
	struct gc_remembered *out;
	struct digestset seen;
};

void gc_remembered_release(struct gc_remembered *m)
{
	digest_list_release(&m->list);
	*m = (struct gc_remembered)GC_REMEMBERED_INIT;
}

static void add(struct following *f, const struct digest *d)
{
	if (digestset_has(&f->seen, d))
		return;
	digestset_add(&f->seen, d);
	digest_list_add(&f->out->list, d);
}

/* Adds the manifests that this one names. */
static int follow(struct following *f, const struct digest *d, struct err *e)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT;
	int linked = revision_linked(f->w->r->st, f->n, d, e), found;
	size_t i;

	if (linked)
		return linked < 0 ? -1 : 0;
	found = gc_goes_on(e) < 0 ? -1 : reg_stored_content(f->w->r, d, &bytes, e);
	if (found <= 0)
		return found;
	/* A manifest that nobody understands keeps everything: whoever reads it as one finds that out as well. */
	if (!manifest_scan_descriptors(&m, bytes.buf, bytes.len))
		f->out->keep_all = true;
	for (i = 0; i < m.nrefs; i++)
		if (m.refs[i].kind == MREF_CHILD_MANIFEST)
			add(f, &m.refs[i].digest);
	return 0;
}

int gc_undo(struct gc_work *w, const struct name *n, bool prune, struct gc_remembered *out, struct err *e)
{
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;
	struct following f = { .w = w, .n = n, .out = out };
	uint64_t keep = reg_mark_keep(w->r, w->o->grace), now;
	size_t i;
	int rc = 0;

	if (undo_read(w->r->st, n, &marks, e) < 0)
		return -1;
	if (!marks.count)
		return 0;
	if (collector_now(w->c, &w->now, e) < 0)
		return -1;
	now = (uint64_t)w->now * USEC;
	for (i = 0; i < marks.count; i++)
		if (undo_counts(marks.v[i].usec, now, keep))
			add(&f, &marks.v[i].digest);
	for (i = 0; rc == 0 && i < out->list.count; i++) {
		struct digest d = out->list.v[i];       /* the list grows meanwhile */

		rc = follow(&f, &d, e);
	}
	digestset_release(&f.seen);
	if (rc == 0 && prune)
		undo_prune(w->r->st, n, &marks, now, keep);
	return rc;
}
