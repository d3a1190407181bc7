/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_mark: what one repository names.
 *
 * Owns nothing. Takes no lock: what becomes reachable meanwhile is noted by writers or young.
 */
#include "registry/gc_mark.h"

#include <stdlib.h>

#include "base/mem.h"
#include "registry/gc_untagged.h"
#include "registry/references.h"
#include "store/blob.h"
#include "store/revision.h"
#include "store/tag.h"

struct marking {
	struct gc_work *w;
	const struct name *n;
	struct gc_marks *m;
	struct digestset marked;        /* its manifests that have been looked at */
	struct digestset named;         /* what they name */
	struct digestset gone;          /* in a dry run: those that would go before this */
	bool keep_all;                  /* one of them can't be read */
	bool has_candidates;
};

void gc_candidates_add(struct gc_candidates *c, size_t repository, const struct digest *d)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 256;
		c->v = xreallocarray(c->v, c->cap, sizeof(*c->v));
	}
	c->v[c->count++] = (struct gc_candidate){ repository, *d };
}

void gc_marks_release(struct gc_marks *m)
{
	digestset_release(&m->kept);
	names_release(&m->names);
	free(m->links.v);
	*m = (struct gc_marks)GC_MARKS_INIT;
}

/*
 * A digest that a manifest of the repository names. registry:2 writes sha512 links that hold a sha256 digest, and finds
 * the bytes only if its link for that one is there as well.
 */
static int mark_named(struct marking *g, const struct digest *d, struct err *e)
{
	struct digest target;
	int found;

	digestset_add(&g->m->kept, d);
	digestset_add(&g->named, d);
	if (d->alg == DIGEST_SHA256)
		return 0;
	found = blob_read_link(g->w->r->st, g->n, d, &target, e);
	if (found == 1) {
		digestset_add(&g->m->kept, &target);
		digestset_add(&g->named, &target);
	}
	return found < 0 ? -1 : 0;
}

/* A manifest that a link of the repository or one of its tags stands for, and all that it names. */
static int mark_manifest(struct marking *g, const struct digest *d, const struct digest *content, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	size_t i;
	int found = gc_references(g->w, g->n, content, &refs, e);

	gc_pace(g->w);
	digestset_add(&g->marked, d);
	digestset_add(&g->m->kept, d);
	digestset_add(&g->m->kept, content);
	if (found == 0)
		g->keep_all = true;
	for (i = 0; found >= 0 && i < refs.count; i++)
		if (mark_named(g, &refs.v[i], e) < 0)
			found = -1;
	return found < 0 ? -1 : 0;
}

/*
 * A spoilt link stands for what it is called by: fsck may mend it. A directory without a link stands for nothing. What a
 * link holds that is called by a sha256 digest is that digest, or a fault: that it is there is all that counts.
 */
static int mark_revision(void *arg, const struct digest *d, struct err *e)
{
	struct marking *g = arg;
	struct digest content = *d;
	int found = 0;

	if (digestset_has(&g->gone, d))
		return 0;
	if (d->alg != DIGEST_SHA256)
		found = revision_read(g->w->r->st, g->n, d, &content, e);
	if (found == 0)
		found = revision_linked(g->w->r->st, g->n, d, e);
	return found <= 0 ? found : mark_manifest(g, d, &content, e);
}

/* The same: bytes of another digest are of no use to whoever asks for this one. So nine links of ten need not be opened. */
static int keep_link(struct marking *g, const struct digest *d, struct err *e)
{
	struct digest target;
	int found;

	if (d->alg == DIGEST_SHA256 && digestset_has(&g->m->kept, d))
		return 0;
	found = blob_read_link(g->w->r->st, g->n, d, &target, e);
	if (found == 1)
		digestset_add(&g->m->kept, &target);
	return found < 0 ? -1 : 0;
}

static int mark_link(void *arg, const struct digest *d, struct err *e)
{
	struct marking *g = arg;

	gc_pace(g->w);
	if (g->keep_all || digestset_has(&g->named, d))
		return keep_link(g, d, e);
	if (!g->has_candidates)
		names_add(&g->m->names, g->n->s, g->n->len);
	g->has_candidates = true;
	gc_candidates_add(&g->m->links, g->m->names.count - 1, d);
	return 0;
}

/* Tags are roots of their own: one may point to a manifest whose link a crash of another registry has taken away. */
static int mark_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct marking *g = arg;
	struct digest content = *d;

	(void)t;
	if (digestset_has(&g->marked, d))
		return 0;
	if (revision_read(g->w->r->st, g->n, d, &content, e) < 0)
		return -1;
	return mark_manifest(g, d, &content, e);
}

/* A dry run removes no manifest, so it has to know which ones would be gone by now. */
static int find_gone(struct marking *g, struct err *e)
{
	struct gc_work *w = g->w;
	int rc;

	if (!w->o->untagged || !w->o->dry_run)
		return 0;
	w->tells = false;
	rc = gc_untagged(w, g->n, &g->gone, e);
	w->tells = true;
	return rc;
}

int gc_mark_repository(struct gc_work *w, const struct name *n, struct gc_marks *m, struct err *e)
{
	struct marking g = { .w = w, .n = n, .m = m };
	struct store *st = w->r->st;
	int rc = -1;

	if (find_gone(&g, e) == 0 && revision_walk(st, n, mark_revision, &g, e) == 0 && tag_walk(st, n, mark_tag, &g, e) == 0)
		rc = blob_walk_links(st, n, mark_link, &g, e);
	digestset_release(&g.marked);
	digestset_release(&g.named);
	digestset_release(&g.gone);
	return rc;
}
