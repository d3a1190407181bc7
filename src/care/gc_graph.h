/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_GC_GRAPH_H
#define BERTH_CARE_GC_GRAPH_H

/*
 * gc_graph: which manifests of a repository keep which others. An index keeps the manifests that it names; a manifest keeps those
 * that name it as their subject.
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
	int64_t when;                   /* modification time, seconds since the epoch: the later of its link's and its content's */
	struct digest *subject;         /* owned; NULL: none. It need not be in the repository */
	size_t first, count;            /* its edges */
	bool kept;
	uint64_t gone;                  /* the batch that removed it; 0: none */
	uint64_t batch;                 /* the last batch that removed an index that names it; 0: none */
};

struct gc_edge {                        /* one manifest keeps another one */
	size_t from, to;                /* positions in nodes */
	bool names;                     /* `from` is an index that names `to`; else `from` is the subject of `to` */
};

struct gc_graph {
	struct gc_node *nodes;          /* in byte order of their digests */
	size_t count, cap;
	struct gc_edge *edges;          /* grouped by `from` */
	size_t nedges, edges_cap;
	struct digestset tagged;        /* what tags point to, and what is remembered (care/gc_undo.h) */
	size_t *order;                  /* positions in nodes: a node comes after all that keep it */
	size_t ordered;
	bool keep_all;                  /* a manifest cannot be read, so what it keeps is unknown */
};

#define GC_GRAPH_INIT { 0 }

/*
 * gc_graph_read - read the manifests, tags and marks of a repository, without a lock
 * The time is linear in the manifests and in what they name. Nodes of a cycle are not in the order; only links that hold a digest
 * other than their name's can make a cycle, and fsck reports them. Returns 0, or -1 with *e; the caller releases *g in any case.
 */
int gc_graph_read(struct gc_graph *g, struct gc_work *w, const struct name *n, struct err *e);
void gc_graph_release(struct gc_graph *g);

/* gc_graph_spread - mark everything that this node keeps as kept */
void gc_graph_spread(struct gc_graph *g, const struct gc_node *node);

#endif
