/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_graph: the manifests of a repository, what they name, and an order.
 *
 * Owns the graph until it is released. Acquires no lock: a change after the graph was read is noted by its writer or within the
 * grace period. Only references to other manifests of the repository are kept in memory, not those to layers and configs.
 */
#include "care/gc_graph.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "care/gc_undo.h"
#include "registry/manifest_scan.h"
#include "store/revision.h"
#include "store/tag.h"

struct reading {
	struct gc_graph *g;
	struct gc_work *w;
	const struct name *n;
};

void gc_graph_release(struct gc_graph *g)
{
	size_t i;

	for (i = 0; i < g->count; i++)
		free(g->nodes[i].subject);
	free(g->nodes);
	free(g->edges);
	free(g->order);
	digestset_release(&g->tagged);
	*g = (struct gc_graph)GC_GRAPH_INIT;
}

/* registry:2 deletes a manifest by removing its link, and leaves the directory: that is no manifest. */
static int add_node(void *arg, const struct digest *d, struct err *e)
{
	struct reading *r = arg;
	struct gc_graph *g = r->g;
	int found = revision_linked(r->w->r->st, r->n, d, e);

	if (found <= 0)
		return found;
	if (g->count == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->nodes = xreallocarray(g->nodes, g->cap, sizeof(*g->nodes));
	}
	g->nodes[g->count++] = (struct gc_node){ .d = *d };
	return 0;
}

static int by_digest(const void *a, const void *b)
{
	return digest_cmp(&((const struct gc_node *)a)->d, &((const struct gc_node *)b)->d);
}

static struct gc_node *find(const struct gc_graph *g, const struct digest *d)
{
	struct gc_node key = { .d = *d };

	return g->count ? bsearch(&key, g->nodes, g->count, sizeof(*g->nodes), by_digest) : NULL;
}

static void add_edge(struct gc_graph *g, const struct gc_node *from, const struct gc_node *to, bool names)
{
	if (!from || !to)
		return;                 /* one of them is not in the repository */
	if (g->nedges == g->edges_cap) {
		g->edges_cap = g->edges_cap ? g->edges_cap * 2 : 64;
		g->edges = xreallocarray(g->edges, g->edges_cap, sizeof(*g->edges));
	}
	g->edges[g->nedges++] = (struct gc_edge){ (size_t)(from - g->nodes), (size_t)(to - g->nodes), names };
}

static int read_node(struct reading *r, struct gc_node *node, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct gc_graph *g = r->g;
	struct digest content;
	size_t i;
	int found = revision_age(r->w->r->st, r->n, &node->d, &node->when, &content, e);

	gc_pace(r->w);
	if (found == 0 && (found = revision_linked(r->w->r->st, r->n, &node->d, e)) == 1) {
		g->keep_all = true;     /* a corrupt link: fsck may restore the manifest */
		return 0;
	}
	if (found <= 0)
		return found;           /* deleted meanwhile */
	found = gc_references(r->w, &content, &refs, e);
	if (found < 0)
		return -1;
	if (found == 0)
		g->keep_all = true;
	for (i = 0; i < refs.count; i++)
		add_edge(g, node, find(g, &refs.v[i]), true);
	if (refs.has_subject) {
		node->subject = xmalloc(sizeof(*node->subject));
		*node->subject = refs.subject;
		add_edge(g, find(g, &refs.subject), node, false);
	}
	return 0;
}

/*
 * A tag may point to a manifest whose link was lost in a crash of another registry, and a mark is of one that may have been
 * deleted: what it names is kept all the same.
 */
static int add_root(struct reading *r, const struct digest *d, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct gc_node *node;
	int found;

	if (digestset_has(&r->g->tagged, d))
		return 0;
	digestset_add(&r->g->tagged, d);
	if (find(r->g, d))
		return 0;
	found = gc_references(r->w, d, &refs, e);
	if (found == 0)
		r->g->keep_all = true;
	for (size_t i = 0; i < refs.count; i++)
		if ((node = find(r->g, &refs.v[i])) != NULL)
			node->kept = true;
	return found < 0 ? -1 : 0;
}

static int add_tagged(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	(void)t;
	return add_root(arg, d, e);
}

static int add_remembered(struct reading *r, struct err *e)
{
	cleanup_gc_remembered struct gc_remembered all = GC_REMEMBERED_INIT;
	size_t i;

	if (gc_undo(r->w, r->n, false, &all, e) < 0)
		return -1;
	r->g->keep_all |= all.keep_all;
	for (i = 0; i < all.list.count; i++)
		if (add_root(r, &all.list.v[i], e) < 0)
			return -1;
	return 0;
}

static int by_from(const void *a, const void *b)
{
	size_t one = ((const struct gc_edge *)a)->from, other = ((const struct gc_edge *)b)->from;

	return one < other ? -1 : one > other;
}

static void give_edges(struct gc_graph *g)
{
	size_t i;

	if (g->nedges)
		qsort(g->edges, g->nedges, sizeof(*g->edges), by_from);
	for (i = 0; i < g->nedges; i++) {
		struct gc_node *node = &g->nodes[g->edges[i].from];

		if (node->count++ == 0)
			node->first = i;
	}
}

/* Kahn's algorithm: a node is appended when everything that keeps it has been. */
static void put_in_order(struct gc_graph *g)
{
	cleanup_free size_t *keepers = xcalloc(g->count + 1, sizeof(*keepers));
	size_t i, at;

	g->order = xcalloc(g->count + 1, sizeof(*g->order));
	for (i = 0; i < g->nedges; i++)
		keepers[g->edges[i].to]++;
	for (i = 0; i < g->count; i++)
		if (keepers[i] == 0)
			g->order[g->ordered++] = i;
	for (at = 0; at < g->ordered; at++) {
		const struct gc_node *node = &g->nodes[g->order[at]];

		for (i = node->first; i < node->first + node->count; i++)
			if (--keepers[g->edges[i].to] == 0)
				g->order[g->ordered++] = g->edges[i].to;
	}
}

int gc_graph_read(struct gc_graph *g, struct gc_work *w, const struct name *n, struct err *e)
{
	struct reading r = { g, w, n };
	size_t i;

	if (revision_walk(w->r->st, n, add_node, &r, e) < 0)
		return -1;
	if (g->count)
		qsort(g->nodes, g->count, sizeof(*g->nodes), by_digest);
	for (i = 0; i < g->count; i++)
		if (read_node(&r, &g->nodes[i], e) < 0)
			return -1;
	if (tag_walk(w->r->st, n, add_tagged, &r, e) < 0 || add_remembered(&r, e) < 0)
		return -1;
	give_edges(g);
	put_in_order(g);
	return 0;
}

void gc_graph_spread(struct gc_graph *g, const struct gc_node *node)
{
	size_t i;

	for (i = node->first; i < node->first + node->count; i++)
		g->nodes[g->edges[i].to].kept = true;
}
