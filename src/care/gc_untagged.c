/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_untagged: manifests that nothing keeps, one repository at a time.
 *
 * Owns what a batch moved to the trash until that is removed. The graph is read once, without a lock. What became reachable since
 * then is noted by its writer or within the grace period, so each manifest is checked again in the batch that would remove
 * it. Those that keep it come before it in the order, and have been checked by then. So the cost of a batch does not depend on
 * the number of manifests. With the journal on it is written before a batch which manifests it may remove, and behind each of these
 * lines afterwards what came of it.
 */
#include "care/gc_untagged.h"

#include "care/gc_graph.h"
#include "os/dir.h"
#include "os/file.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/quota_hold.h"
#include "store/revision.h"
#include "store/tag.h"

#define TOLD_MAX 64

struct sweep {
	struct gc_work *w;
	const struct name *n;
	uint64_t age;                   /* see gc_untagged() */
	struct gc_graph g;
	size_t at;                      /* position in the order */
	uint64_t batch;                 /* counted from 1 */
	bool touched;                   /* the batch removed something */
	struct names trashed;           /* in the trash */
	size_t told;                    /* the journal has lines for the order up to here, from where the batch begins */
	struct gc_node *of[TOLD_MAX];   /* of each line */
	size_t lines;
	struct journal_entry j;
	struct digestset *gone;
};

/* As gc_in_grace(), and for as long as a rule says. */
static bool is_young(const struct sweep *s, int64_t when)
{
	return gc_in_grace(s->w, when) || when > s->w->now || (uint64_t)(s->w->now - when) <= s->age;
}

/* Spread what tags and the grace period keep: a recent index keeps old children. The order then lacks all that is kept. */
static void keep_known(struct sweep *s)
{
	struct gc_graph *g = &s->g;
	size_t i, left = 0;

	for (i = 0; i < g->ordered; i++) {
		struct gc_node *node = &g->nodes[g->order[i]];

		if (digestset_has(&g->tagged, &node->d) || (node->subject && digestset_has(&g->tagged, node->subject)) ||
		    is_young(s, node->when))
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
	int found = reg_summary_will_unrefer(s->w->r, s->n, node->subject != NULL, node->subject, e);

	if (found == 0)
		found = revision_collect(st, s->n, &node->d, &trashed, e);
	if (found <= 0)
		return found;
	s->touched = true;
	if (trashed.len)
		names_add(&s->trashed, trashed.buf, trashed.len);
	if (node->subject)
		reg_summary_unreferred(s->w->r, s->n, node->subject, &node->d);
	return 1;
}

/* One flush for many manifests. A line that nothing comes of is marked so. */
static int tell(struct sweep *s, struct err *e)
{
	struct store *st = s->w->r->st;
	struct gc_graph *g = &s->g;

	s->lines = 0;
	s->told = s->at;
	if (s->w->o->dry_run || !journal_on(st)) {
		s->told = g->ordered;
		return 0;
	}
	for (; s->told < g->ordered && s->lines < TOLD_MAX; s->told++) {
		struct gc_node *node = &g->nodes[g->order[s->told]];

		if (node->kept)
			continue;
		s->of[s->lines++] = node;
		journal_add(st, &s->j, &(struct event){ .action = EVENT_DELETE, .repository = s->n, .digest = &node->d, .by = s->w->r->by });
	}
	return journal_begin(st, &s->j, e);
}

static void tell_end(struct sweep *s)
{
	size_t i;

	for (i = 0; i < s->lines; i++)
		journal_mark(s->w->r->st, &s->j, i, s->of[i]->gone == s->batch ? EVENT_DONE : EVENT_UNDONE);
	s->lines = 0;
	journal_release(&s->j);
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
	if (node->kept || is_young(s, when) || is_noted(s, node)) {
		gc_graph_spread(g, node);
		return 0;
	}
	if (!s->w->o->dry_run && (found = collect(s, node, e)) <= 0)
		return found;
	node->gone = s->batch;
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
	rc = tell(s, e);
	while (rc == 0 && s->at < s->told) {
		struct gc_node *node = &g->nodes[g->order[s->at]];

		if (node->batch == s->batch || !gc_batch_goes_on(s->w))
			break;
		rc = sweep_node(s, node, e);
		s->at += rc == 0;
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
	tell_end(s);
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
		int rc = sweep_batch(s, e);

		if ((rc < 0 && quota_try_again(st, e) < 0) || finish_batch(s, e) < 0)
			return -1;
		gc_leave(s->w);
	}
	return 0;
}

bool gc_untagged_due(const struct gc_work *w, const struct name *n, uint64_t *age)
{
	const struct rule *rule = rules_find(w->r->cfg, n, RULE_UNTAGGED), *readonly = rules_find(w->r->cfg, n, RULE_READONLY);

	*age = rule ? rule->untagged : 0;
	/* What a mirror has goes by cache.idle and cache.max_size, tagged or not. */
	if ((readonly && readonly->readonly) || upstream_of(w->r->cfg, n, NULL))
		return false;
	/* In a registry that is read-only no rule runs. */
	return rule ? w->rules && retain_untagged(w->rules, rule) : w->o->untagged;
}

int gc_untagged(struct gc_work *w, const struct name *n, uint64_t age, struct digestset *gone, struct err *e)
{
	struct sweep s = { .w = w, .n = n, .age = age, .g = GC_GRAPH_INIT, .trashed = NAMES_INIT, .gone = gone, .j = JOURNAL_ENTRY_INIT };
	int rc = gc_graph_read(&s.g, w, n, e);

	if (rc == 0)
		rc = collector_now(w->c, &w->now, e);
	if (rc == 0 && !s.g.keep_all) {
		keep_known(&s);
		rc = sweep(&s, e);
	}
	names_release(&s.trashed);
	journal_release(&s.j);
	gc_graph_release(&s.g);
	return rc;
}
