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
#include "registry/reg_manifest.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

struct node {                           /* a manifest of the repository */
	struct digest d;
	struct digest *children;        /* owned: the entries of an index */
	size_t nchildren;
	bool has_subject;
	struct digest subject;
	bool looked_at;
};

struct graph {
	struct gc_work *w;
	const struct name *n;
	struct node *v;
	size_t count, cap;
	struct digestset kept;
	bool keep_all;                  /* one of them can't be read: what it keeps isn't known */
};

static void graph_release(struct graph *g)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		free(g->v[i].children);
	free(g->v);
	digestset_release(&g->kept);
}

static int add_node(void *arg, const struct digest *d, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct graph *g = arg;
	struct digest content;
	struct node *node;
	int found = revision_read(g->w->r->st, g->n, d, &content, e);

	if (found <= 0)
		return found;
	found = gc_references(g->w, g->n, &content, &refs, e);
	if (found < 0)
		return -1;
	if (found == 0)
		g->keep_all = true;
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->v = xreallocarray(g->v, g->cap, sizeof(*g->v));
	}
	node = &g->v[g->count++];
	*node = (struct node){ .d = *d, .has_subject = refs.has_subject, .subject = refs.subject };
	if (refs.nmanifests) {
		node->nchildren = refs.nmanifests;
		node->children = xreallocarray(NULL, refs.nmanifests, sizeof(*node->children));
		memcpy(node->children, refs.v, refs.nmanifests * sizeof(*node->children));
	}
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

/* Until nothing more is kept: children of what is kept, and referrers of what is kept. */
static void spread(struct graph *g)
{
	bool more = true;
	size_t i, j;

	while (more) {
		more = false;
		for (i = 0; i < g->count; i++) {
			struct node *node = &g->v[i];

			if (node->looked_at)
				continue;
			if (!digestset_has(&g->kept, &node->d) &&
			    !(node->has_subject && digestset_has(&g->kept, &node->subject)))
				continue;
			node->looked_at = more = true;
			digestset_add(&g->kept, &node->d);
			for (j = 0; j < node->nchildren; j++)
				digestset_add(&g->kept, &node->children[j]);
		}
	}
}

/* The subject may have been pushed since: then it keeps this one. */
static int subject_is_here(struct graph *g, const struct node *node, struct err *e)
{
	struct digest content;

	return node->has_subject && !digestset_has(&g->w->gone, &node->subject) ?
		       revision_read(g->w->r->st, g->n, &node->subject, &content, e) :
		       0;
}

static int sweep_node(struct graph *g, const struct node *node, struct err *e)
{
	int64_t when;
	int found = revision_age(g->w->r->st, g->n, &node->d, &when, e);

	if (found <= 0 || gc_is_young(g->w, when) || collector_noted(g->w->c, &node->d))
		return found < 0 ? -1 : 0;
	found = subject_is_here(g, node, e);
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (!g->w->o->dry_run && (found = reg_manifest_collect(g->w->r, g->n, &node->d, e)) <= 0)
		return found;
	digestset_add(&g->w->gone, &node->d);
	gc_tell(g->w, GC_MANIFEST, g->n, node->d.text, 0);
	return 0;
}

/* The repository's lock before the collector's, as everywhere; one batch of each. */
static int sweep(struct graph *g, struct err *e)
{
	static const struct names none = NAMES_INIT;
	size_t i = 0;

	while (i < g->count) {
		cleanup_fd int lock = -1;
		int rc = 0;

		if (digestset_has(&g->kept, &g->v[i].d)) {
			i++;
			continue;
		}
		if (lock_repository(g->w->r->st, g->n, &lock, e) < 0 || gc_enter(g->w, e) < 0)
			return -1;
		for (; rc == 0 && i < g->count && gc_batch_goes_on(g->w); i++)
			if (!digestset_has(&g->kept, &g->v[i].d))
				rc = sweep_node(g, &g->v[i], e);
		gc_unlock(g->w);
		os_cleanup_fd(&lock);
		gc_leave(g->w, &none);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int collect_repository(void *arg, const struct name *n, struct err *e)
{
	struct graph g = { .w = arg, .n = n };
	int rc;

	if (revision_walk(g.w->r->st, n, add_node, &g, e) < 0 || tag_walk(g.w->r->st, n, keep_tagged, &g, e) < 0) {
		rc = -1;
	} else {
		spread(&g);
		rc = g.keep_all ? 0 : sweep(&g, e);
	}
	graph_release(&g);
	return rc;
}

int gc_untagged(struct gc_work *w, struct err *e)
{
	return repo_walk(w->r->st, NULL, collect_repository, w, e);
}
