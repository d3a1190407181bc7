/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_undo_plan: the manifests below one, and what they name.
 *
 * Owns no state. Changes nothing but modification times.
 */
#include "registry/reg_undo_plan.h"

#include "base/digestset.h"
#include "conf/rules.h"
#include "registry/manifest_scan.h"
#include "registry/reg_manifest.h"
#include "registry/reg_stored.h"
#include "store/blob.h"
#include "store/revision.h"

#define DEPTH_MAX 32                    /* of indexes in indexes: each is in memory while those below it are looked at */
#define MANIFESTS_MAX 10000

struct frame {                          /* a manifest that is being looked at */
	struct digest d;
	bool linked;
	struct manifest m;
	size_t at;                      /* in what it names */
};

struct search {
	struct undo_plan *p;
	struct registry *r;
	const struct name *n;
	struct digestset remembered, seen;
	struct frame stack[DEPTH_MAX];
	size_t depth, manifests;
	int sparse;
};

/* What is there, under its link's digest and its content's. */
static void found_here(struct search *s, const struct digest *d, const struct digest *content)
{
	digestset_add(&s->seen, d);
	digest_list_add(&s->p->needed, d);
	if (!digest_eq(content, d))
		digest_list_add(&s->p->needed, content);
}

void undo_plan_release(struct undo_plan *p)
{
	digest_list_release(&p->missing);
	digest_list_release(&p->needed);
	*p = (struct undo_plan)UNDO_PLAN_INIT;
}

static int unreadable(const struct digest *d, struct err *e)
{
	return err_set(e, ERR_MANIFEST_UNKNOWN, "%s is no manifest that can be read", d->text);
}

/* The manifest's bytes become a frame: 0, or -1 with *e. */
static int push(struct search *s, const struct digest *d, const struct digest *content, bool linked, struct err *e)
{
	struct frame *f = &s->stack[s->depth];
	cleanup_str struct str bytes = STR_INIT;
	struct digest is;
	int found;

	if (s->depth == DEPTH_MAX || s->manifests++ == MANIFESTS_MAX)
		return err_set(e, ERR_MANIFEST_INVALID, "%s is in more than %d indexes, or there are more than %d manifests", d->text, DEPTH_MAX,
			       MANIFESTS_MAX);
	found = reg_stored_content(s->r, content, &bytes, e);
	if (found <= 0)
		return found < 0 ? -1 : unreadable(d, e);
	digest_of(&is, content->alg, bytes.buf, bytes.len);
	if (!digest_eq(&is, content))
		return err_set(e, ERR_MANIFEST_UNKNOWN, "the bytes of %s are corrupt", d->text);
	if (!manifest_scan_descriptors(&f->m, bytes.buf, bytes.len))
		return unreadable(d, e);
	f->d = *d;
	f->linked = linked;
	f->at = 0;
	s->depth++;
	return 0;
}

/* 1 if it is there, or has been looked at already, 0 if it is missing, -1 with *e. */
static int enter(struct search *s, const struct digest *d, struct err *e)
{
	struct digest content = *d;
	uint64_t size;
	int found, linked;

	if (digestset_has(&s->seen, d))
		return 1;
	found = linked = revision_pin(s->r->st, s->n, d, &content, &size, e);
	if (found == 0 && digestset_has(&s->remembered, d)) {
		content = *d;
		found = blob_pin(s->r->st, s->n, d, &size, e);
	}
	if (found <= 0)
		return found;
	found_here(s, d, &content);
	if (linked)
		s->p->revisions[d->alg] = true;
	return push(s, d, &content, linked, e) < 0 ? -1 : 1;
}

/* A config or a layer: 1, 0 if it is missing, -1. */
static int look_at_blob(struct search *s, const struct digest *d, struct err *e)
{
	struct digest content;
	uint64_t size;
	int found;

	if (digestset_has(&s->seen, d))
		return 1;
	found = blob_find(s->r->st, s->n, d, true, &content, &size, e);
	if (found <= 0)
		return found;
	found_here(s, d, &content);
	s->p->layers[d->alg] = true;
	return 1;
}

/* The next thing that the uppermost manifest names; behind the last one it is done with. */
static int step(struct search *s, struct err *e)
{
	struct frame *f = &s->stack[s->depth - 1];
	const struct descriptor *d;
	int found;

	if (f->at == f->m.nrefs) {
		if (!f->linked)
			digest_list_add(&s->p->missing, &f->d);
		manifest_release(&f->m);
		s->depth--;
		return 0;
	}
	d = &f->m.refs[f->at++];
	found = d->kind == MREF_CHILD_MANIFEST ? enter(s, &d->digest, e) : look_at_blob(s, &d->digest, e);
	if (found == 0 && !reg_manifest_may_lack(s->sparse, d))
		return err_set(e, ERR_MANIFEST_UNKNOWN, "%s is gone, which %s needs", d->digest.text, f->d.text);
	return found < 0 ? -1 : 0;
}

int undo_plan_make(struct undo_plan *p, struct registry *r, const struct name *n, const struct undo_marks *marks, const struct digest *d,
		   struct err *e)
{
	struct search s = { .p = p, .r = r, .n = n, .sparse = rules_sparse(r->cfg, n) };
	size_t i;
	int rc;

	for (i = 0; i < marks->count; i++)
		digestset_add(&s.remembered, &marks->v[i].digest);
	rc = enter(&s, d, e);
	if (rc == 0)
		err_set(e, ERR_MANIFEST_UNKNOWN, "%s is gone", d->text);
	rc = rc == 1 ? 0 : -1;
	while (rc == 0 && s.depth)
		rc = step(&s, e);
	while (s.depth)
		manifest_release(&s.stack[--s.depth].m);
	digestset_release(&s.remembered);
	digestset_release(&s.seen);
	return rc;
}
