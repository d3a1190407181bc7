/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_mark: what repositories name.
 *
 * Owns the marks until they are released. Acquires no lock: what becomes reachable meanwhile is noted by its writer or within the
 * grace period.
 */
#include "care/gc_mark.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "care/gc_undo.h"
#include "care/gc_untagged.h"
#include "care/share.h"
#include "registry/manifest_scan.h"
#include "store/blob.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

struct marking {
	struct gc_work *w;
	const struct name *n;
	size_t at;                      /* its index in the names */
	struct gc_marks *m;
	struct digestset marked;        /* its manifests that have been read */
	struct digestset named;         /* what they name */
	struct digestset gone;          /* in a dry run: manifests that gc_untagged() would have removed */
	bool keep_all;                  /* a manifest cannot be read */
};

void gc_candidates_add(struct gc_candidates *c, size_t repository, const struct digest *d)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 256;
		c->v = xreallocarray(c->v, c->cap, sizeof(*c->v));
	}
	c->v[c->count++] = (struct gc_candidate){ repository, *d };
}

void gc_candidates_record(const struct gc_candidates *c, char type, struct str *out)
{
	share_record(out, type, c->v, c->count * sizeof(*c->v));
}

int gc_candidates_accept(struct gc_candidates *c, const char *data, size_t len, struct err *e)
{
	struct gc_candidate one;

	if (len % sizeof(one))
		return share_malformed(e);
	for (; len; data += sizeof(one), len -= sizeof(one)) {
		memcpy(&one, data, sizeof(one));
		gc_candidates_add(c, one.repository, &one.d);
	}
	return 0;
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
 * the bytes only if the sha256 link exists as well.
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

/* A manifest that a link or tag of the repository refers to, and everything that it names. */
static int mark_manifest(struct marking *g, const struct digest *d, const struct digest *content, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	size_t i;
	int found = gc_references(g->w, content, &refs, e);

	gc_pace(g->w);
	digestset_add(&g->marked, d);
	digestset_add(&g->m->kept, d);
	digestset_add(&g->m->kept, content);
	if (found == 0) {
		g->keep_all = true;
		gc_tell(g->w, GC_UNREADABLE, g->n, content->text, 0);
	}
	for (i = 0; found >= 0 && i < refs.count; i++)
		if (mark_named(g, &refs.v[i], e) < 0)
			found = -1;
	return found < 0 ? -1 : 0;
}

/*
 * The link of a sha256 digest holds that digest unless it is corrupt, so it is not opened. A corrupt link keeps the content of its
 * name: fsck may repair it.
 */
static int content_of(struct marking *g, const struct digest *d, struct digest *content, struct err *e)
{
	int found = d->alg == DIGEST_SHA256 ? 0 : revision_read(g->w->r->st, g->n, d, content, e);

	if (found == 0)
		*content = *d;
	return found;
}

/* Tags are roots, too: one may point to a manifest whose link was lost in a crash of another registry. */
static int mark_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct marking *g = arg;
	struct digest content;

	(void)t;
	if (digestset_has(&g->marked, d))
		return 0;
	return content_of(g, d, &content, e) < 0 ? -1 : mark_manifest(g, d, &content, e);
}

/* A manifest that no tag points to. It exists if its link does: a directory without one is no manifest. */
static int mark_revision(void *arg, const struct digest *d, struct err *e)
{
	struct marking *g = arg;
	struct digest content;
	int found;

	if (digestset_has(&g->marked, d) || digestset_has(&g->gone, d))
		return 0;
	found = content_of(g, d, &content, e);
	if (found == 0)
		found = revision_linked(g->w->r->st, g->n, d, e);
	return found < 0 ? -1 : found == 0 ? 0 : mark_manifest(g, d, &content, e);
}

/* What is remembered needs no link any more. */
static int mark_remembered(struct marking *g, struct err *e)
{
	cleanup_gc_remembered struct gc_remembered all = GC_REMEMBERED_INIT;
	size_t i;

	if (gc_undo(g->w, g->n, !g->w->o->dry_run, &all, e) < 0)
		return -1;
	g->keep_all |= all.keep_all;
	for (i = 0; i < all.list.count; i++)
		if (mark_tag(g, NULL, &all.list.v[i], e) < 0)
			return -1;
	return 0;
}

/* As in content_of() a sha256 link need not be opened, if its digest is kept already: nine links of ten. */
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
	gc_candidates_add(&g->m->links, g->at, d);
	return 0;
}

/* A dry run has removed no manifest, so it finds out which ones would not exist any more. */
static int find_gone(struct marking *g, struct err *e)
{
	uint64_t age;

	return g->w->o->dry_run && gc_untagged_due(g->w, g->n, &age) ? gc_untagged(g->w, g->n, age, &g->gone, e) : 0;
}

static int mark_repository(struct marking *g, struct err *e)
{
	struct store *st = g->w->r->st;

	if (find_gone(g, e) < 0 || tag_walk(st, g->n, mark_tag, g, e) < 0 || revision_walk(st, g->n, mark_revision, g, e) < 0 ||
	    mark_remembered(g, e) < 0)
		return -1;
	return blob_walk_links(st, g->n, mark_link, g, e);
}

struct mark_all {
	struct gc_work *w;
	struct gc_marks *m;
};

static int mark_task(void *arg, size_t i, struct err *e)
{
	struct mark_all *all = arg;
	struct name n = gc_name(all->m->names.v[i]);
	struct marking g = { .w = all->w, .n = &n, .at = i, .m = all->m };
	int rc = gc_goes_on(e) < 0 ? -1 : mark_repository(&g, e);

	digestset_release(&g.marked);
	digestset_release(&g.named);
	digestset_release(&g.gone);
	return rc;
}

static void mark_begin(void *arg, struct str *out)
{
	gc_helper_begin(((struct mark_all *)arg)->w, out);
}

static int mark_finish(void *arg, struct str *out, struct err *e)
{
	const struct mark_all *all = arg;
	const struct gc_marks *m = all->m;

	(void)e;
	if (!out)
		return 0;
	gc_candidates_record(&m->links, 'L', out);
	share_record_begin(out, 'K', digestset_size(&m->kept));
	digestset_write(&m->kept, out);
	gc_helper_count(all->w, out);
	return 0;
}

static int mark_accept(void *arg, char type, const char *data, size_t len, struct err *e)
{
	struct mark_all *all = arg;

	if (type == 'K')
		return digestset_read(&all->m->kept, data, len) < 0 ? share_malformed(e) : 0;
	return type == 'L' ? gc_candidates_accept(&all->m->links, data, len, e) : gc_accept(all->w, type, data, len, e);
}

static void mark_tick(void *arg, size_t begun)
{
	const struct mark_all *all = arg;

	gc_progress(all->w, "repositories looked at", begun, all->m->names.count);
}

static int add_name(void *arg, const struct name *n, struct err *e)
{
	(void)e;
	names_add(arg, n->s, n->len);
	return 0;
}

static int by_repository(const void *a, const void *b)
{
	const struct gc_candidate *x = a, *y = b;

	return x->repository != y->repository ? (x->repository < y->repository ? -1 : 1) : digest_cmp(&x->d, &y->d);
}

int gc_mark(struct gc_work *w, struct gc_marks *m, struct err *e)
{
	struct mark_all all = { w, m };
	struct share_job job = { .begin = mark_begin, .task = mark_task, .finish = mark_finish, .accept = mark_accept,
				 .tick = w->o->progress ? mark_tick : NULL, .arg = &all };
	bool nobody;

	if (collector_nobody_serves(w->c, &nobody, e) < 0 || repo_walk(w->r->st, NULL, add_name, &m->names, e) < 0)
		return -1;
	job.tasks = m->names.count;
	job.helpers_alone = job.stands_back = !nobody && !w->o->rate;
	if (share_run(&job, gc_processes(w, job.tasks, 8), e) < 0)
		return -1;
	/* Helpers report repositories in any order; the sweep flushes one after the other. */
	if (m->links.count)
		qsort(m->links.v, m->links.count, sizeof(*m->links.v), by_repository);
	return 0;
}
