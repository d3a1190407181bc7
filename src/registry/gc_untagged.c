/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_untagged: what keeps a manifest, worked out for one repository at a time.
 *
 * Owns the graph of that repository while it is looked at.
 */
#include "registry/gc_untagged.h"

#include <stdlib.h>
#include <string.h>

#include "base/digestset.h"
#include "base/mem.h"
#include "os/file.h"
#include "registry/reg_index.h"
#include "registry/reg_manifest.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/tag.h"

struct node {                           /* a manifest of the repository */
	struct digest d;
	struct digest *children;        /* owned: those of the repository's manifests that it names */
	size_t nchildren;
	bool has_subject;
	struct digest subject;
	bool spread;                    /* what it keeps is marked */
};

struct graph {
	struct gc_work *w;
	const struct name *n;
	struct node *v;
	size_t count, cap;
	struct digestset all, kept;
	struct digestset *gone;
	bool keep_all;                  /* one of them can't be read: what it keeps isn't known */
};

static void graph_release(struct graph *g)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		free(g->v[i].children);
	free(g->v);
	digestset_release(&g->all);
	digestset_release(&g->kept);
}

static int add_node(void *arg, const struct digest *d, struct err *e)
{
	struct graph *g = arg;
	struct digest content;
	int found = revision_read(g->w->r->st, g->n, d, &content, e);

	if (found <= 0)
		return found;
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->v = xreallocarray(g->v, g->cap, sizeof(*g->v));
	}
	g->v[g->count++] = (struct node){ .d = *d };
	digestset_add(&g->all, d);
	return 0;
}

/* Layers and configs are of no interest here: of what a manifest names only other manifests are kept in memory. */
static int read_node(struct graph *g, struct node *node, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct digest content;
	size_t i, n = 0;
	int found = revision_read(g->w->r->st, g->n, &node->d, &content, e);

	gc_pace(g->w);
	if (found <= 0)
		return found;           /* deleted meanwhile */
	found = gc_references(g->w, g->n, &content, &refs, e);
	if (found < 0)
		return -1;
	if (found == 0)
		g->keep_all = true;
	node->has_subject = refs.has_subject;
	node->subject = refs.subject;
	for (i = 0; i < refs.count; i++)
		n += digestset_has(&g->all, &refs.v[i]);
	if (n == 0)
		return 0;
	node->children = xreallocarray(NULL, n, sizeof(*node->children));
	for (i = 0; i < refs.count; i++)
		if (digestset_has(&g->all, &refs.v[i]))
			node->children[node->nchildren++] = refs.v[i];
	return 0;
}

static int keep_tagged(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct graph *g = arg;

	(void)t;
	(void)e;
	digestset_add(&g->kept, d);
	return 0;
}

/* Until nothing more is kept: what is named by what is kept, and what has it as its subject. */
static void spread(struct graph *g)
{
	bool more = true;
	size_t i, j;

	while (more) {
		more = false;
		for (i = 0; i < g->count; i++) {
			struct node *node = &g->v[i];

			if (node->spread || (!digestset_has(&g->kept, &node->d) &&
					     !(node->has_subject && digestset_has(&g->kept, &node->subject))))
				continue;
			node->spread = more = true;
			digestset_add(&g->kept, &node->d);
			for (j = 0; j < node->nchildren; j++)
				digestset_add(&g->kept, &node->children[j]);
		}
	}
}

/* The time keeps, too: an index that is young keeps children that are old. */
static int keep_young(struct graph *g, struct err *e)
{
	int64_t when;
	size_t i;

	for (i = 0; i < g->count; i++) {
		int found = digestset_has(&g->kept, &g->v[i].d) ? 0 : revision_age(g->w->r->st, g->n, &g->v[i].d, &when, e);

		if (found < 0)
			return -1;
		if (found == 1 && gc_is_young(g->w, when))
			digestset_add(&g->kept, &g->v[i].d);
	}
	spread(g);
	return 0;
}

/* What was pushed or tagged since the graph was read is noted, with all that it names; and from there it goes on. */
static void keep_noted(struct graph *g)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		if (collector_noted(g->w->c, &g->v[i].d) ||
		    (g->v[i].has_subject && collector_noted(g->w->c, &g->v[i].subject)))
			digestset_add(&g->kept, &g->v[i].d);
	spread(g);
}

static int by_digest(const void *a, const void *b)
{
	return digest_cmp(&((const struct node *)a)->d, &((const struct node *)b)->d);
}

static size_t place_of(const struct graph *g, const struct digest *d)
{
	struct node key = { .d = *d };
	const struct node *found = bsearch(&key, g->v, g->count, sizeof(*g->v), by_digest);

	return (size_t)(found - g->v);  /* children are nodes: read_node sees to it */
}

/* An index goes before what it names, or a crash in between would leave one that names what is gone. There is a node. */
static void put_parents_first(struct graph *g)
{
	cleanup_free size_t *named_by = xcalloc(g->count, sizeof(*named_by));
	cleanup_free size_t *order = xcalloc(g->count, sizeof(*order));
	struct node *v = xreallocarray(NULL, g->count, sizeof(*v));
	size_t i, j, n = 0;

	qsort(g->v, g->count, sizeof(*g->v), by_digest);
	for (i = 0; i < g->count; i++)
		for (j = 0; j < g->v[i].nchildren; j++)
			named_by[place_of(g, &g->v[i].children[j])]++;
	for (i = 0; i < g->count; i++)
		if (named_by[i] == 0)
			order[n++] = i;
	for (i = 0; i < n; i++) {
		const struct node *parent = &g->v[order[i]];

		for (j = 0; j < parent->nchildren; j++) {
			size_t child = place_of(g, &parent->children[j]);

			if (--named_by[child] == 0)
				order[n++] = child;
		}
	}
	for (i = 0; i < g->count; i++)          /* only links that hold another digest can make a circle */
		if (named_by[i] > 0)
			order[n++] = i;
	for (i = 0; i < n; i++)
		v[i] = g->v[order[i]];
	free(g->v);
	g->v = v;
	g->cap = g->count;
}

static int sweep_node(struct graph *g, const struct node *node, struct err *e)
{
	int64_t when;
	int found = revision_age(g->w->r->st, g->n, &node->d, &when, e);

	if (found <= 0 || gc_is_young(g->w, when))
		return found < 0 ? -1 : 0;
	if (!g->w->o->dry_run && (found = reg_manifest_collect(g->w->r, g->n, &node->d, e)) <= 0)
		return found;
	digestset_add(g->gone, &node->d);
	gc_tell(g->w, GC_MANIFEST, g->n, node->d.text, 0);
	return 0;
}

/* One batch: the repository's lock before the collector's, as everywhere. */
static int sweep_some(struct graph *g, size_t *i, struct err *e)
{
	cleanup_fd int lock = -1;
	int rc = 0;

	/* The index first: should it have to be compared, that is not done while all writers wait. */
	if (lock_repository(g->w->r->st, g->n, &lock, e) < 0 || reg_index_hold(g->w->r, g->n, e) < 0 ||
	    gc_enter(g->w, e) < 0)
		return -1;
	keep_noted(g);
	for (; rc == 0 && *i < g->count && gc_batch_goes_on(g->w); ++*i)
		if (!digestset_has(&g->kept, &g->v[*i].d))
			rc = sweep_node(g, &g->v[*i], e);
	gc_unlock(g->w);
	return rc;
}

static int sweep(struct graph *g, struct err *e)
{
	size_t i = 0;

	while (i < g->count) {
		if (digestset_has(&g->kept, &g->v[i].d)) {
			i++;
			continue;
		}
		if (sweep_some(g, &i, e) < 0)
			return -1;
		gc_leave(g->w);
	}
	return 0;
}

int gc_untagged(struct gc_work *w, const struct name *n, struct digestset *gone, struct err *e)
{
	struct graph g = { .w = w, .n = n, .gone = gone };
	int rc = revision_walk(w->r->st, n, add_node, &g, e);
	size_t i;

	for (i = 0; rc == 0 && i < g.count; i++)
		rc = read_node(&g, &g.v[i], e);
	if (rc == 0)
		rc = tag_walk(w->r->st, n, keep_tagged, &g, e);
	if (rc == 0)
		rc = collector_now(w->c, &w->now, e);
	spread(&g);
	if (rc == 0 && !g.keep_all && g.count > 0) {
		put_parents_first(&g);
		rc = keep_young(&g, e) < 0 ? -1 : sweep(&g, e);
	}
	graph_release(&g);
	return rc;
}
