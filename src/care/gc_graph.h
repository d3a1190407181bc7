/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_GRAPH_H
#define BERTH_CARE_GC_GRAPH_H

/*
 * gc_graph: which manifest of a repository keeps which: an index those that it names, and a manifest those that name it as
 * their subject.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/digestset.h"
#include "base/err.h"
#include "base/ref.h"
#include "care/gc_work.h"

struct gc_node {                        /* a manifest */
	struct digest d;
	int64_t when;                   /* its modification time, or that of its content */
	struct digest *subject;         /* owned; NULL: it has none. It need not be in the repository */
	size_t first, count;            /* its edges */
	bool kept;
	uint64_t batch;                 /* the last one in which an index that names it was removed; 0: none */
};

struct gc_edge {                        /* one manifest keeps another one */
	size_t from, to;                /* places among the nodes */
	bool names;                     /* as an index does */
};

struct gc_graph {
	struct gc_node *nodes;          /* in byte order of their digests */
	size_t count, cap;
	struct gc_edge *edges;          /* those of a node stand together */
	size_t nedges, edges_cap;
	struct digestset tagged;        /* what tags point to */
	size_t *order;                  /* places of nodes: what keeps a node stands before it */
	size_t ordered;
	bool keep_all;                  /* a manifest can't be read: what it keeps isn't known */
};

#define GC_GRAPH_INIT { 0 }

/*
 * gc_graph_read - the manifests and tags of a repository, read without a lock
 * Linear in the manifests and in what they name. A circle is in no order: only links that hold another digest than they are
 * called by can make one, and fsck tells of them. 0, or -1 with *e; *g is released by the caller in any case.
 */
int gc_graph_read(struct gc_graph *g, struct gc_work *w, const struct name *n, struct err *e);
void gc_graph_release(struct gc_graph *g);

/* gc_graph_spread - what this one keeps is kept */
void gc_graph_spread(struct gc_graph *g, const struct gc_node *node);

#endif
