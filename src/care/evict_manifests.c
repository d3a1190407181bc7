/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_manifests: batches under the lock of the repository.
 *
 * Owns what a batch moved to the trash until that is removed. Invariant: that no tag points to a manifest is durable before the manifest goes.
 * Nothing of it is in the journal, as nothing of a mirror is.
 */
#include "care/evict_manifests.h"

#include <stdlib.h>
#include <string.h>

#include "base/digestlist.h"
#include "base/mem.h"
#include "care/evict_need.h"
#include "os/file.h"
#include "registry/reg_delete.h"
#include "registry/reg_stored.h"
#include "registry/reg_summary.h"
#include "store/lock.h"
#include "store/mirror.h"
#include "store/quota_hold.h"
#include "store/revision.h"
#include "store/tag.h"

#define BATCH 64

struct batch {
	struct gc_work *w;
	const struct name *n;
	bool even;
	struct evict_result *out;
	struct evict_link *v[BATCH];    /* that go */
	size_t count;
	struct digestset goes;
	struct names tags, revisions;   /* in the trash */
};

static void release(struct batch *b)
{
	digestset_release(&b->goes);
	names_release(&b->tags);
	names_release(&b->revisions);
}

/* Under the lock: whether it goes still. 1, 0, -1 with *e */
static int still_goes(struct batch *b, const struct digestset *pinned, const struct evict_link *l, struct err *e)
{
	struct digest content;
	int64_t last;
	int found;

	if (!b->even && (digestset_has(pinned, &l->d) || collector_noted(b->w->c, &l->d)))
		return 0;
	found = evict_last(b->w, b->n, &l->d, &last, &content, e);
	return found == 1 ? b->even || last <= l->last : found;
}

static int choose(struct batch *b, struct evict_link **v, size_t count, struct err *e)
{
	struct digestset pinned = DIGESTSET_INIT;
	int rc = b->even ? 0 : evict_pinned(b->w, b->n, &pinned, e);

	for (size_t i = 0; rc == 0 && i < count; i++) {
		int goes = still_goes(b, &pinned, v[i], e);

		rc = goes < 0 ? -1 : 0;
		if (goes == 1) {
			b->v[b->count++] = v[i];
			digestset_add(&b->goes, &v[i]->d);
		}
	}
	digestset_release(&pinned);
	return rc;
}

/* Tags that go. */
struct targets {
	struct batch *b;
	struct reg_tag_target *v;       /* owned */
	size_t count, cap;
};

static int visit_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct targets *ts = arg;

	(void)e;
	if (!digestset_has(&ts->b->goes, d))
		return 0;
	if (ts->count == ts->cap) {
		ts->cap = ts->cap ? ts->cap * 2 : 64;
		ts->v = xreallocarray(ts->v, ts->cap, sizeof(*ts->v));
	}
	ts->v[ts->count++] = (struct reg_tag_target){ *t, *d };
	return 0;
}

/* Flush also if no tag was found: another process may have removed one and died before its flush. */
static int remove_tags(struct batch *b, struct err *e)
{
	struct targets ts = { .b = b };
	int rc = tag_walk(b->w->r->st, b->n, visit_tag, &ts, e) < 0 ? -1 : 0;

	if (rc == 0)
		rc = ts.count ? reg_delete_cached_tags(b->w->r, b->n, ts.v, ts.count, &b->tags, e) : tag_flush(b->w->r->st, b->n, e);
	for (size_t i = 0; rc == 0 && i < ts.count; i++)
		mirror_uncheck(b->w->r->st, b->n, &ts.v[i].tag);
	free(ts.v);
	return rc;
}

/* A manifest that cannot be read is removed nevertheless: readers of the index skip an entry without a manifest. */
static void remove_entry(struct batch *b, const struct digest *d)
{
	cleanup_str struct str descriptor = STR_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	struct digest subject;
	size_t read = 0;

	if (reg_stored_referrer(b->w->r, b->n, d, &subject, &descriptor, &read, &ignored) == 1)
		reg_summary_remove_referrer(b->w->r, b->n, &subject, d);
}

/* Under both locks. */
static int collect(struct batch *b, struct err *e)
{
	int rc = 0;

	if (gc_enter(b->w, e) < 0)
		return -1;
	for (size_t i = 0; rc == 0 && i < b->count; i++) {
		cleanup_str struct str trashed = STR_INIT;

		remove_entry(b, &b->v[i]->d);
		rc = revision_collect(b->w->r->st, b->n, &b->v[i]->d, &trashed, e);
		if (trashed.len)
			names_add(&b->revisions, trashed.buf, trashed.len);
		b->out->manifests += rc == 1;
		rc = rc < 0 ? -1 : 0;
	}
	gc_unlock(b->w);
	return rc;
}

static int finish(struct batch *b, struct err *e)
{
	struct store *st = b->w->r->st;

	if (revision_flush_gone(st, b->n, e) < 0)
		return -1;
	for (size_t i = 0; i < b->count; i++)
		b->v[i]->gone = true;
	for (size_t i = 0; i < b->revisions.count; i++)
		revision_purge(st, b->revisions.v[i]);
	store_purge_all(st, &b->tags);
	return 0;
}

static int run_batch(struct batch *b, struct evict_link **v, size_t count, struct err *e)
{
	cleanup_fd int lock = -1;

	if (lock_repository(b->w->r->st, b->n, &lock, e) < 0 || choose(b, v, count, e) < 0)
		return -1;
	if (!b->count)
		return 0;
	if (remove_tags(b, e) < 0 || collect(b, e) < 0)
		return -1;
	os_cleanup_fd(&lock);
	return finish(b, e);
}

static int name_manifest(void *arg, const struct digest *d, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct batch *b = arg;
	int linked = revision_linked(b->w->r->st, b->n, d, e), readable = linked == 1 ? gc_references(b->w, d, &refs, e) : linked;

	for (size_t i = 0; readable == 1 && i < refs.count; i++)
		digestset_add(&b->goes, &refs.v[i]);
	return readable < 0 ? -1 : 0;
}

/* What only removed manifests named is not to be linked any more. */
static int forget_names(struct batch *b, struct err *e)
{
	cleanup_fd int lock = -1;

	digestset_release(&b->goes);
	if (lock_repository(b->w->r->st, b->n, &lock, e) < 0 || revision_walk(b->w->r->st, b->n, name_manifest, b, e) < 0)
		return -1;
	return mirror_unname(b->w->r->st, b->n, &b->goes, e);
}

int evict_manifests(struct gc_work *w, const struct name *n, struct evict_link **v, size_t count, bool even, struct evict_result *out,
		    struct err *e)
{
	struct batch last = { .w = w, .n = n };
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < count; at += BATCH) {
		struct batch b = { .w = w, .n = n, .even = even, .out = out };

		/* There may be many notes, which are not to be read while writers wait for the repository. */
		rc = collector_hear(w->c, e) < 0 ? -1 : run_batch(&b, v + at, count - at < BATCH ? count - at : BATCH, e);
		gc_leave(w);
		release(&b);
	}
	if (rc == 0)
		rc = forget_names(&last, e);
	release(&last);
	return rc;
}

int evict_untag(struct gc_work *w, const struct name *n, const struct tag *t, struct err *e)
{
	cleanup_names struct names trashed = NAMES_INIT;
	cleanup_fd int lock = -1;
	struct reg_tag_target target = { .tag = *t };
	int found;

	if (lock_repository(w->r->st, n, &lock, e) < 0)
		return -1;
	found = tag_read(w->r->st, n, t, &target.digest, e);
	if (found != 1)
		return found;
	if (reg_delete_cached_tags(w->r, n, &target, 1, &trashed, e) < 0)
		return -1;
	mirror_uncheck(w->r->st, n, t);
	os_cleanup_fd(&lock);
	store_purge_all(w->r->st, &trashed);
	return 1;
}
