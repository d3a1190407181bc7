/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_untagged: manifests that nothing keeps, one repository at a time.
 *
 * Owns what a batch moved to the trash until that is removed. The graph is read once, without a lock. What became reachable since
 * then is noted by its writer or within the grace period, so each manifest is checked again in the batch that would remove
 * it. Those that keep it come before it in the order, and have been checked by then. So the cost of a batch does not depend on
 * the number of manifests.
 */
#include "care/gc_untagged.h"

#include "care/gc_graph.h"
#include "os/dir.h"
#include "os/file.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/tag.h"

struct sweep {
	struct gc_work *w;
	const struct name *n;
	struct gc_graph g;
	size_t at;                      /* position in the order */
	uint64_t batch;                 /* counted from 1 */
	bool touched;                   /* the batch removed something */
	struct names trashed;           /* in the trash */
	struct digestset *gone;
};

/* Spread what tags and the grace period keep: a recent index keeps old children. The order then lacks all that is kept. */
static void keep_known(struct sweep *s)
{
	struct gc_graph *g = &s->g;
	size_t i, left = 0;

	for (i = 0; i < g->ordered; i++) {
		struct gc_node *node = &g->nodes[g->order[i]];

		if (digestset_has(&g->tagged, &node->d) || (node->subject && digestset_has(&g->tagged, node->subject)) ||
		    gc_in_grace(s->w, node->when))
			node->kept = true;
		if (node->kept)
			gc_graph_spread(g, node);
		else
			g->order[left++] = g->order[i];
	}
	g->ordered = left;
}

/*
 * A push or a tag since the graph was read is noted, with everything that the manifest names. A subject pushed since is not in the
 * graph, so its digest is looked up.
 */
static bool is_noted(const struct sweep *s, const struct gc_node *node)
{
	return collector_noted(s->w->c, &node->d) || (node->subject && collector_noted(s->w->c, node->subject));
}

/* Move a manifest to the trash by one rename, then remove it from the index. The caller flushes. 1, 0 absent, -1 with *e. */
static int collect(struct sweep *s, const struct gc_node *node, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	struct store *st = s->w->r->st;
	int found = revision_collect(st, s->n, &node->d, &trashed, e);

	if (found <= 0)
		return found;
	s->touched = true;
	if (trashed.len)
		names_add(&s->trashed, trashed.buf, trashed.len);
	if (node->subject)
		index_remove_referrer(st, s->n, node->subject, &node->d);
	return 1;
}

static int sweep_node(struct sweep *s, struct gc_node *node, struct err *e)
{
	struct gc_graph *g = &s->g;
	struct digest content;
	int64_t when;
	size_t i;
	int found = node->kept ? 1 : revision_age(s->w->r->st, s->n, &node->d, &when, &content, e);

	if (found <= 0)
		return found;
	if (node->kept || gc_in_grace(s->w, when) || is_noted(s, node)) {
		gc_graph_spread(g, node);
		return 0;
	}
	if (!s->w->o->dry_run && (found = collect(s, node, e)) <= 0)
		return found;
	for (i = node->first; i < node->first + node->count; i++)
		if (g->edges[i].names)
			g->nodes[g->edges[i].to].batch = s->batch;
	if (s->gone)
		digestset_add(s->gone, &node->d);
	gc_tell(s->w, GC_MANIFEST, s->n, node->d.text, 0);
	return 0;
}

/*
 * One batch: the repository's lock before the collector's, as everywhere. It ends before a manifest that an index of the same batch
 * named: a power cut must not bring back the index alone.
 */
static int sweep_batch(struct sweep *s, struct err *e)
{
	struct gc_graph *g = &s->g;
	cleanup_fd int lock = -1;
	int rc = 0;

	if ((!s->w->o->dry_run && lock_repository(s->w->r->st, s->n, &lock, e) < 0) || gc_enter(s->w, e) < 0)
		return -1;
	s->batch++;
	while (rc == 0 && s->at < g->ordered) {
		struct gc_node *node = &g->nodes[g->order[s->at]];

		if (node->batch == s->batch || !gc_batch_goes_on(s->w))
			break;
		rc = sweep_node(s, node, e);
		s->at++;
	}
	gc_unlock(s->w);
	return rc;
}

/* One flush for the whole batch, without a lock. What is not durably removed stays whole in the trash. */
static int finish_batch(struct sweep *s, struct err *e)
{
	struct store *st = s->w->r->st;
	size_t i;

	if (s->touched && revision_flush_gone(st, s->n, e) < 0)
		return -1;
	for (i = 0; i < s->trashed.count; i++)
		revision_purge(st, s->trashed.v[i]);
	names_drop(&s->trashed, s->trashed.count);
	s->touched = false;
	return 0;
}

/*
 * Before the first removal it has to be durable that these manifests have no tag and that no index names them: a process that
 * removed a tag or an index may have died, or failed, before its flush. Also, there may be many notes since the graph was
 * read, so they are read before the repository is locked.
 */
static int sweep(struct sweep *s, struct err *e)
{
	struct store *st = s->w->r->st;

	if (s->at == s->g.ordered)
		return 0;
	if (!s->w->o->dry_run && (tag_flush(st, s->n, e) < 0 || revision_flush_gone(st, s->n, e) < 0))
		return -1;
	if (collector_hear(s->w->c, e) < 0)
		return -1;
	while (s->at < s->g.ordered) {
		if (sweep_batch(s, e) < 0 || finish_batch(s, e) < 0)
			return -1;
		gc_leave(s->w);
	}
	return 0;
}

int gc_untagged(struct gc_work *w, const struct name *n, struct digestset *gone, struct err *e)
{
	struct sweep s = { .w = w, .n = n, .g = GC_GRAPH_INIT, .trashed = NAMES_INIT, .gone = gone };
	int rc = gc_graph_read(&s.g, w, n, e);

	if (rc == 0)
		rc = collector_now(w->c, &w->now, e);
	if (rc == 0 && !s.g.keep_all) {
		keep_known(&s);
		rc = sweep(&s, e);
	}
	names_release(&s.trashed);
	gc_graph_release(&s.g);
	return rc;
}
