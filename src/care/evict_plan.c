/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_plan: links, sorted by content, and which of them go.
 *
 * Owns nothing but the plan. Acquires no lock: what is pulled or handed over meanwhile is found out when a link is about to be removed.
 */
#include "care/evict_plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "care/evict_need.h"
#include "care/evict_pending.h"
#include "conf/rules.h"
#include "store/blob.h"
#include "store/mirror.h"
#include "store/pulled.h"
#include "store/revision.h"
#include "store/tag.h"
#include "store/undo.h"

void evict_plan_release(struct evict_plan *p)
{
	names_release(&p->names);
	digestset_release(&p->held);
	digest_list_release(&p->pending);
	free(p->links);
	free(p->contents);
	*p = (struct evict_plan)EVICT_PLAN_INIT;
}

struct reading {
	struct evict_plan *p;
	struct gc_work *w;
	const struct name *n;
	struct digestset pinned;
	bool fixed;                     /* a rule says readonly: all of it stays */
};

/* A link of registry:2 to another digest than its name is left to a collection. */
static void add_link(struct reading *rd, enum evict_kind kind, const struct digest *d, const struct digest *content, int64_t last)
{
	struct evict_plan *p = rd->p;

	if (!digest_eq(d, content)) {
		digestset_add(&p->held, content);
		return;
	}
	if (p->nlinks == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 256;
		p->links = xreallocarray(p->links, p->cap, sizeof(*p->links));
	}
	p->links[p->nlinks++] = (struct evict_link){
		.d = *d, .repository = p->names.count - 1, .kind = kind, .last = last, .pinned = rd->fixed || digestset_has(&rd->pinned, d),
	};
}

static int read_layer(void *arg, const struct digest *d, struct err *e)
{
	struct reading *rd = arg;
	struct digest content;
	int64_t last;
	int found = blob_last_pull(rd->w->r->st, rd->n, d, &last, &content, e);

	if (found == 1)
		add_link(rd, EVICT_LAYER, d, &content, last);
	return found < 0 ? -1 : 0;
}

int evict_last(struct gc_work *w, const struct name *n, const struct digest *d, int64_t *when, struct digest *content, struct err *e)
{
	int64_t pulled;
	int found = revision_age(w->r->st, n, d, when, content, e);

	if (found != 1)
		return found;
	if (pulled_digest(w->r->st, n, d, &pulled, e) < 0)
		return -1;
	*when = pulled > *when ? pulled : *when;
	return 1;
}

static int read_revision(void *arg, const struct digest *d, struct err *e)
{
	struct reading *rd = arg;
	struct digest content;
	int64_t last;
	int found = evict_last(rd->w, rd->n, d, &last, &content, e);

	if (found == 1)
		add_link(rd, EVICT_MANIFEST, d, &content, last);
	return found < 0 ? -1 : 0;
}

/* What a copy of an upstream that is not configured any more has stays, and so do its bytes: nobody could fetch it again. */
static int hold_layer(void *arg, const struct digest *d, struct err *e)
{
	struct reading *rd = arg;
	struct digest content;
	int64_t last;
	int found = blob_last_pull(rd->w->r->st, rd->n, d, &last, &content, e);

	if (found == 1)
		digestset_add(&rd->p->held, &content);
	return found < 0 ? -1 : 0;
}

static int hold_revision(void *arg, const struct digest *d, struct err *e)
{
	struct reading *rd = arg;
	struct digest content;
	int found = revision_find(rd->w->r->st, rd->n, d, &content, e);

	if (found == 1)
		digestset_add(&rd->p->held, &content);
	return found < 0 ? -1 : 0;
}

/* What was deleted there since, and can be restored. Its layers have their links still. */
static int hold_marks(struct reading *rd, struct err *e)
{
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;

	if (undo_read(rd->w->r->st, rd->n, &marks, e) < 0)
		return -1;
	for (size_t i = 0; i < marks.count; i++)
		digestset_add(&rd->p->held, &marks.v[i].digest);
	return 0;
}

static int read_repository(void *arg, const struct name *n, struct err *e)
{
	struct reading *rd = arg;
	struct registry *r = rd->w->r;
	bool former = !upstream_of(r->cfg, n, NULL);
	int rc;

	rd->n = n;
	rd->fixed = rules_readonly(r->cfg, n);
	names_add(&rd->p->names, n->s, n->len);
	rc = gc_goes_on(e) < 0 || (former ? hold_marks(rd, e) : evict_pinned(rd->w, n, &rd->pinned, e)) < 0 ||
	     blob_walk_links(r->st, n, former ? hold_layer : read_layer, rd, e) < 0 ||
	     revision_walk(r->st, n, former ? hold_revision : read_revision, rd, e) < 0 ? -1 : 0;
	digestset_release(&rd->pinned);
	return rc;
}

static int by_content(const void *a, const void *b)
{
	const struct evict_link *x = a, *y = b;
	int cmp = digest_cmp(&x->d, &y->d);

	if (cmp)
		return cmp;
	return x->repository != y->repository ? (x->repository < y->repository ? -1 : 1) : (int)x->kind - (int)y->kind;
}

static int add_content(struct evict_plan *p, struct gc_work *w, size_t first, struct err *e)
{
	struct evict_content *c = &p->contents[p->ncontents++];
	int alone;

	*c = (struct evict_content){ .first = first };
	for (size_t i = first; i < p->nlinks && digest_eq(&p->links[i].d, &p->links[first].d); i++) {
		c->count++;
		c->pinned |= p->links[i].pinned;
		c->last = p->links[i].last > c->last ? p->links[i].last : c->last;
	}
	c->left = c->count;
	alone = blob_alone(w->r->st, &p->links[first].d, &c->size, e);
	c->alone = alone == 1 && !digestset_has(&p->held, &p->links[first].d);
	c->size = c->alone ? c->size : 0;
	p->size += c->size;
	return alone < 0 ? -1 : 0;
}

static int by_digest(const void *d, const void *content_link)
{
	return digest_cmp(d, &((const struct evict_link *)content_link)->d);
}

/* What lost its last link in an eviction that was ended before it had removed the bytes, and has none now. */
static int add_pending(struct evict_plan *p, struct gc_work *w, struct err *e)
{
	struct digest_list all = DIGEST_LIST_INIT;
	int rc = evict_pending_read(w->r->st, &all, e), alone = 0;
	uint64_t size;

	for (size_t i = 0; rc == 0 && i < all.count; i++) {
		if (digestset_has(&p->held, &all.v[i]) || (p->nlinks && bsearch(&all.v[i], p->links, p->nlinks, sizeof(*p->links), by_digest)))
			continue;
		alone = blob_alone(w->r->st, &all.v[i], &size, e);
		rc = alone < 0 ? -1 : 0;
		if (alone != 1)
			continue;
		digest_list_add(&p->pending, &all.v[i]);
		p->pending_size += size;
	}
	p->size += p->pending_size;
	digest_list_release(&all);
	return rc;
}

int evict_plan_read(struct evict_plan *p, struct gc_work *w, struct err *e)
{
	struct reading rd = { .p = p, .w = w };

	if (mirror_each(w->r->st, read_repository, &rd, e) < 0)
		return -1;
	if (p->nlinks)
		qsort(p->links, p->nlinks, sizeof(*p->links), by_content);
	p->contents = xcalloc(p->nlinks + 1, sizeof(*p->contents));
	for (size_t i = 0; i < p->nlinks; i += p->contents[p->ncontents - 1].count)
		if (add_content(p, w, i, e) < 0)
			return -1;
	return add_pending(p, w, e);
}

void evict_plan_idle(struct evict_plan *p, uint64_t idle, int64_t now)
{
	int64_t latest = 0;

	for (size_t i = 0; i < p->nlinks; i++)
		latest = p->links[i].last > latest ? p->links[i].last : latest;
	if (latest < now && (uint64_t)(now - latest) > idle)
		return;
	for (size_t i = 0; i < p->nlinks; i++) {
		struct evict_link *l = &p->links[i];

		l->goes |= !l->pinned && l->last < now && (uint64_t)(now - l->last) > idle;
	}
}

bool evict_plan_all_go(const struct evict_plan *p, const struct evict_content *c)
{
	for (size_t i = c->first; i < c->first + c->count; i++)
		if (!p->links[i].goes)
			return false;
	return true;
}

static int by_last(const void *a, const void *b)
{
	const struct evict_content *x = *(const struct evict_content *const *)a, *y = *(const struct evict_content *const *)b;

	return x->last != y->last ? (x->last < y->last ? -1 : 1) : x->first < y->first ? -1 : x->first > y->first;
}

void evict_plan_size(struct evict_plan *p, uint64_t max)
{
	struct evict_content **v = xcalloc(p->ncontents + 1, sizeof(*v));
	uint64_t stays = p->size - p->pending_size;
	size_t n = 0;
	bool over;

	for (size_t i = 0; i < p->ncontents; i++) {
		struct evict_content *c = &p->contents[i];

		if (c->alone && evict_plan_all_go(p, c))
			stays -= c->size;
		else if (c->alone && !c->pinned)
			v[n++] = c;
	}
	if (n)
		qsort(v, n, sizeof(*v), by_last);
	over = stays > max;
	for (size_t i = 0; over && stays > max - max / 10 && i < n; i++) {
		for (size_t l = v[i]->first; l < v[i]->first + v[i]->count; l++)
			p->links[l].goes = true;
		stays -= v[i]->size;
	}
	free(v);
}

struct dropping {
	struct evict_plan *p;
	struct gc_work *w;
	const struct name *n;
	const struct ref *ref;
	const struct digest *d;         /* of the manifest */
	struct digestset goes, stays;
};

static int keep_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct dropping *dr = arg;

	if (dr->ref->kind == REF_DIGEST ? digest_eq(d, dr->d) : strcmp(t->s, dr->ref->tag.s) == 0)
		return 0;
	return evict_need(dr->w, dr->n, d, &dr->stays, e);
}

static int keep_revision(void *arg, const struct digest *d, struct err *e)
{
	struct dropping *dr = arg;
	int linked = digestset_has(&dr->goes, d) ? 0 : revision_linked(dr->w->r->st, dr->n, d, e);

	return linked == 1 ? evict_need(dr->w, dr->n, d, &dr->stays, e) : linked;
}

static size_t find_repository(const struct evict_plan *p, const struct name *n)
{
	size_t i = 0;

	while (i < p->names.count && strcmp(p->names.v[i], n->s) != 0)
		i++;
	return i;
}

int evict_plan_drop(struct evict_plan *p, struct gc_work *w, const struct name *n, const struct ref *ref, struct err *e)
{
	/* It goes though an index names it, and what it needs does not stay for the sake of that index. */
	const struct digest *named = ref && ref->kind == REF_DIGEST ? &ref->digest : NULL;
	struct digest d = named ? *named : (struct digest){ 0 };
	struct dropping dr = { .p = p, .w = w, .n = n, .ref = ref, .d = &d };
	size_t repository = find_repository(p, n);
	int found = repository < p->names.count;

	if (found && ref)
		found = ref->kind == REF_TAG ? tag_read(w->r->st, n, &ref->tag, &d, e) : revision_linked(w->r->st, n, &d, e);
	if (found == 1 && named)
		digestset_add(&dr.stays, named);
	if (found == 1 && ref &&
	    (evict_need(w, n, &d, &dr.goes, e) < 0 || tag_walk(w->r->st, n, keep_tag, &dr, e) < 0 ||
	     revision_walk(w->r->st, n, keep_revision, &dr, e) < 0))
		found = -1;
	for (size_t i = 0; found == 1 && i < p->nlinks; i++) {
		struct evict_link *l = &p->links[i];

		l->goes |= l->repository == repository && (!ref || (named && digest_eq(&l->d, named)) ||
							   (digestset_has(&dr.goes, &l->d) && !digestset_has(&dr.stays, &l->d)));
	}
	digestset_release(&dr.goes);
	digestset_release(&dr.stays);
	return found;
}
