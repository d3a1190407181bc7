/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_remove: batches of layers' links, and of content.
 *
 * Owns what a batch moved to the trash until that is removed. Invariant: content is removed only where nobody but mirrors had it (store/alone.h),
 * all of its links that were there when the collection began are durably gone, and nobody has noted it since: both is looked at under the
 * collector's lock.
 */
#include "care/evict_remove.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "care/evict_manifests.h"
#include "care/evict_need.h"
#include "care/evict_pending.h"
#include "os/process.h"
#include "store/alone.h"
#include "store/blob.h"
#include "store/quota_hold.h"

struct removing {
	struct evict_plan *p;
	struct gc_work *w;
	bool even;
	struct evict_result *out;
	struct names trashed;
};

/* 1, 0 it stays, -1 with *e */
static int remove_layer(struct removing *rm, const struct name *n, const struct digestset *pinned, struct evict_link *l, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	struct store *st = rm->w->r->st;
	struct digest target;
	int64_t last;
	int found = digestset_has(pinned, &l->d) ? 2 : blob_last_pull(st, n, &l->d, &last, &target, e);

	if (found == 2)
		return 0;
	if (found <= 0) {
		l->gone = found == 0;
		return found;
	}
	if (!digest_eq(&target, &l->d) || (!rm->even && last > l->last))
		return 0;
	found = blob_collect_link(st, n, &l->d, &trashed, e);
	if (found < 0)
		return -1;
	l->gone = true;
	rm->out->links += found == 1;
	if (trashed.len)
		names_add(&rm->trashed, trashed.buf, trashed.len);
	return found;
}

/* The removal of links is durable before their bytes go: a power cut must not bring back one that has no content. */
static int finish_links(struct removing *rm, const struct name *n, struct err *e)
{
	if (blob_flush_links(rm->w->r->st, n, e) < 0)
		return -1;
	for (size_t i = 0; i < rm->trashed.count; i++)
		blob_purge_link(rm->w->r->st, rm->trashed.v[i]);
	names_drop(&rm->trashed, rm->trashed.count);
	return 0;
}

/* One batch from v[*at] on. */
static int layers_batch(struct removing *rm, const struct name *n, const struct digestset *pinned, struct evict_link **v, size_t count, size_t *at,
			struct err *e)
{
	int rc = 0;

	if (gc_enter(rm->w, e) < 0)
		return -1;
	while (rc == 0 && *at < count && gc_batch_goes_on(rm->w)) {
		rc = remove_layer(rm, n, pinned, v[*at], e) < 0 ? -1 : 0;
		*at += rc == 0;
	}
	gc_unlock(rm->w);
	return rc;
}

/* Also after an error what is gone is made durable: its bytes go. What may come back does not count as gone. */
static int remove_layers(struct removing *rm, const struct name *n, struct evict_link **v, size_t count, struct err *e)
{
	struct digestset pinned = DIGESTSET_INIT;
	struct err at_end = ERR_INIT;
	size_t at = 0;
	int rc = rm->even ? 0 : evict_pinned(rm->w, n, &pinned, e), flushed;

	while (rc == 0 && at < count) {
		rc = layers_batch(rm, n, &pinned, v, count, &at, e);
		if (rc < 0)
			rc = quota_try_again(rm->w->r->st, e);
		gc_leave(rm->w);
	}
	digestset_release(&pinned);
	flushed = finish_links(rm, n, rc < 0 ? &at_end : e);
	for (size_t i = 0; flushed < 0 && i < count; i++)
		v[i]->gone = false;
	err_release(&at_end);
	return rc < 0 || flushed < 0 ? -1 : 0;
}

static int by_repository(const void *a, const void *b)
{
	const struct evict_link *x = *(struct evict_link *const *)a, *y = *(struct evict_link *const *)b;

	if (x->repository != y->repository)
		return x->repository < y->repository ? -1 : 1;
	return x->kind != y->kind ? (int)x->kind - (int)y->kind : x < y ? -1 : x > y;
}

/* The links of one repository, manifests first: what names goes before what is named. */
static int remove_links(struct removing *rm, struct evict_link **v, size_t count, struct err *e)
{
	struct name n = gc_name(rm->p->names.v[v[0]->repository]);
	size_t manifests = 0;

	while (manifests < count && v[manifests]->kind == EVICT_MANIFEST)
		manifests++;
	if (manifests && evict_manifests(rm->w, &n, v, manifests, rm->even, rm->out, e) < 0)
		return -1;
	return manifests < count ? remove_layers(rm, &n, v + manifests, count - manifests, e) : 0;
}

/* A repository that fails does not keep the others from being evicted: the first error is told when all have been tried. */
static int remove_all_links(struct removing *rm, struct err *e)
{
	cleanup_free struct evict_link **v = xcalloc(rm->p->nlinks + 1, sizeof(*v));
	cleanup_err struct err one = ERR_INIT;
	size_t n = 0, i, first;
	int rc = 0;

	for (i = 0; i < rm->p->nlinks; i++)
		if (rm->p->links[i].goes)
			v[n++] = &rm->p->links[i];
	if (n)
		qsort(v, n, sizeof(*v), by_repository);
	for (first = 0; first < n && (rc == 0 || !os_asked_to_end()); first = i) {
		for (i = first; i < n && v[i]->repository == v[first]->repository; i++)
			;
		if (remove_links(rm, v + first, i - first, rc ? &one : e) < 0)
			rc = -1;
		err_release(&one);
		one = (struct err)ERR_INIT;
	}
	return rc;
}

/* Content that lost its last link. It may have got another one since: its writer has noted that. */
static int remove_content(struct removing *rm, const struct digest *d, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	struct store *st = rm->w->r->st;
	uint64_t size;
	int alone = blob_alone(st, d, &size, e), found;

	if (alone <= 0 || collector_noted(rm->w->c, d))
		return alone < 0 ? -1 : 0;
	found = blob_collect(st, d, &trashed, e);
	if (found <= 0)
		return found;
	if (trashed.len)
		names_add(&rm->trashed, trashed.buf, trashed.len);
	rm->out->blobs++;
	rm->out->bytes += size;
	metrics_add(METRIC_CACHE_EVICTED_BYTES, size);
	return 0;
}

static int content_batch(struct removing *rm, const struct digest **v, size_t count, size_t *at, struct err *e)
{
	int rc = 0;

	if (gc_enter(rm->w, e) < 0)
		return -1;
	while (rc == 0 && *at < count && gc_batch_goes_on(rm->w)) {
		rc = remove_content(rm, v[*at], e);
		*at += rc == 0;
	}
	gc_unlock(rm->w);
	return rc;
}

static int remove_contents(struct removing *rm, const struct digest **v, size_t count, struct err *e)
{
	size_t at = 0;
	int rc = 0;

	while (rc == 0 && at < count) {
		uint64_t before = rm->out->bytes;

		rc = content_batch(rm, v, count, &at, e);
		for (size_t i = 0; i < rm->trashed.count; i++)
			blob_purge(rm->w->r->st, rm->trashed.v[i]);
		names_drop(&rm->trashed, rm->trashed.count);
		if (rc == 0 && rm->out->bytes > before)
			rc = alone_sub(rm->w->r->st, rm->out->bytes - before, e);
		gc_leave(rm->w);
	}
	return rc;
}

static int remove_all_contents(struct removing *rm, struct err *e)
{
	struct evict_plan *p = rm->p;
	cleanup_free const struct digest **v = xcalloc(p->ncontents + p->pending.count + 1, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < p->pending.count; i++)
		v[n++] = &p->pending.v[i];

	for (size_t i = 0; i < p->ncontents; i++) {
		struct evict_content *c = &p->contents[i];

		for (size_t l = c->first; l < c->first + c->count; l++)
			c->left -= p->links[l].gone;
		if (c->alone && !c->left)
			v[n++] = &p->links[c->first].d;
	}
	return remove_contents(rm, v, n, e);
}

static int note_pending(const struct evict_plan *p, struct store *st, struct err *e)
{
	struct digest_list all = DIGEST_LIST_INIT;
	int rc;

	for (size_t i = 0; i < p->pending.count; i++)
		digest_list_add(&all, &p->pending.v[i]);
	for (size_t i = 0; i < p->ncontents; i++)
		if (p->contents[i].alone && evict_plan_all_go(p, &p->contents[i]))
			digest_list_add(&all, &p->links[p->contents[i].first].d);
	rc = evict_pending_write(st, &all, e);
	digest_list_release(&all);
	return rc;
}

int evict_remove(struct evict_plan *p, struct gc_work *w, bool even, struct evict_result *out, struct err *e)
{
	struct removing rm = { .p = p, .w = w, .even = even, .out = out, .trashed = NAMES_INIT };
	cleanup_err struct err at_end = ERR_INIT;
	int rc;

	if (note_pending(p, w->r->st, e) < 0)
		return -1;
	rc = remove_all_links(&rm, e);
	/* After an error, too: nobody finds it by its links any more. */
	if (remove_all_contents(&rm, rc < 0 ? &at_end : e) < 0)
		rc = -1;
	if (rc == 0)
		evict_pending_clear(w->r->st);
	names_release(&rm.trashed);
	return rc;
}
