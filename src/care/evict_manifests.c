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

#include "base/mem.h"
#include "care/evict_need.h"
#include "os/file.h"
#include "registry/reg_delete.h"
#include "registry/reg_stored.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/mirror.h"
#include "store/revision.h"
#include "store/tag.h"

#define BATCH 64

/* A manifest that is to go. */
struct leaving {
	struct evict_link *l;
	bool goes;
	int refers;                     /* to `subject`: reg_stored_subject() */
	struct digest subject;
};

/* The removals from one repository. */
struct leave {
	struct gc_work *w;
	const struct name *n;
	bool even;
	struct evict_result *out;
	struct digestset pinned;        /* what pinned tags need: it is read before the lock is held, and under it what has come since */
};

struct batch {
	struct leave *of;
	struct leaving v[BATCH];
	size_t count, done;             /* done: that many at the front are gone, or stay */
	struct digestset goes;
	struct names tags, revisions;   /* in the trash */
};

static void release(struct batch *b)
{
	digestset_release(&b->goes);
	names_release(&b->tags);
	names_release(&b->revisions);
}

/*
 * Before any lock: manifests never change, and may be large. One that cannot be read is removed nevertheless: readers of the index skip an
 * entry without a manifest.
 */
static void read_batch(struct batch *b, struct evict_link **v, size_t count)
{
	for (b->count = 0; b->count < count && b->count < BATCH; b->count++) {
		struct leaving *m = &b->v[b->count];

		m->l = v[b->count];
		m->refers = reg_stored_subject(b->of->w->r, b->of->n, &m->l->d, &m->subject);
	}
}

/* Under the lock: whether it goes still. 1, 0, -1 with *e */
static int still_goes(const struct leave *of, const struct evict_link *l, struct err *e)
{
	struct digest content;
	int64_t last;
	int found;

	if (!of->even && (digestset_has(&of->pinned, &l->d) || collector_noted(of->w->c, &l->d)))
		return 0;
	found = evict_last(of->w, of->n, &l->d, &last, &content, e);
	return found == 1 ? of->even || last <= l->last : found;
}

static int choose(struct batch *b, struct err *e)
{
	if (!b->of->even && evict_pinned(b->of->w, b->of->n, &b->of->pinned, e) < 0)
		return -1;
	for (size_t i = 0; i < b->count; i++) {
		int goes = still_goes(b->of, b->v[i].l, e);

		if (goes < 0)
			return -1;
		b->v[i].goes = goes == 1;
		if (goes)
			digestset_add(&b->goes, &b->v[i].l->d);
	}
	return 0;
}

/* Tags that go. */
struct targets {
	struct batch *b;
	struct reg_tag_target *v;       /* owned */
	size_t count, cap;
};

static void add_target(struct targets *ts, const struct tag *t, const struct digest *d)
{
	if (ts->count == ts->cap) {
		ts->cap = ts->cap ? ts->cap * 2 : 64;
		ts->v = xreallocarray(ts->v, ts->cap, sizeof(*ts->v));
	}
	ts->v[ts->count++] = (struct reg_tag_target){ *t, *d };
}

static int visit_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct targets *ts = arg;

	(void)e;
	if (digestset_has(&ts->b->goes, d))
		add_target(ts, t, d);
	return 0;
}

/* By the index, which may name too many: each link is read. */
static int find_tags_of(struct targets *ts, const struct digest *d, struct err *e)
{
	const struct batch *b = ts->b;
	cleanup_names struct names tags = NAMES_INIT;
	struct store *st = b->of->w->r->st;
	struct digest now;
	struct tag t;

	if (index_tags_of(st, b->of->n, d, SIZE_MAX, &tags, e) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++) {
		int found = tag_parse(&t, tags.v[i], strlen(tags.v[i])) < 0 ? 0 : tag_read(st, b->of->n, &t, &now, e);

		if (found < 0)
			return -1;
		if (found && digest_eq(&now, d))
			add_target(ts, &t, d);
	}
	return 0;
}

/*
 * An index that is not current is not made so here, since that needs room on the disk: all tags are read instead. Flush also if no tag was
 * found: another process may have removed one and died before its flush.
 */
static int remove_tags(struct batch *b, struct err *e)
{
	struct targets ts = { .b = b };
	struct store *st = b->of->w->r->st;
	int current = index_current(st, b->of->n, e), rc = current < 0 ? -1 : 0;

	if (current == 0 && tag_walk(st, b->of->n, visit_tag, &ts, e) < 0)
		rc = -1;
	for (size_t i = 0; rc == 0 && current && i < b->count; i++)
		if (b->v[i].goes)
			rc = find_tags_of(&ts, &b->v[i].l->d, e);
	if (rc == 0)
		rc = ts.count ? reg_delete_cached_tags(b->of->w->r, b->of->n, ts.v, ts.count, &b->tags, e) : tag_flush(st, b->of->n, e);
	for (size_t i = 0; rc == 0 && i < ts.count; i++)
		mirror_uncheck(st, b->of->n, &ts.v[i].tag);
	free(ts.v);
	return rc;
}

static int collect(struct batch *b, const struct leaving *m, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	struct store *st = b->of->w->r->st;
	int found;

	if (reg_summary_will_unrefer(b->of->w->r, b->of->n, m->refers, &m->subject, e) < 0)
		return -1;
	found = revision_collect(st, b->of->n, &m->l->d, &trashed, e);
	if (found < 0)
		return -1;
	if (trashed.len)
		names_add(&b->revisions, trashed.buf, trashed.len);
	if (m->refers == 1)
		reg_summary_unreferred(b->of->w->r, b->of->n, &m->subject, &m->l->d);
	b->of->out->manifests += found == 1;
	return 0;
}

/* Under both locks: as many as fit. The tags of the others are gone, and they are looked at again in the next batch. */
static int collect_all(struct batch *b, struct err *e)
{
	struct gc_work *w = b->of->w;
	int rc = 0;

	if (gc_enter(w, e) < 0)
		return -1;
	for (; rc == 0 && b->done < b->count; b->done++) {
		if (!b->v[b->done].goes)
			continue;
		if (!gc_batch_goes_on(w))
			break;
		rc = collect(b, &b->v[b->done], e);
	}
	gc_unlock(w);
	return rc;
}

static int finish(struct batch *b, struct err *e)
{
	struct store *st = b->of->w->r->st;

	if (revision_flush_gone(st, b->of->n, e) < 0)
		return -1;
	for (size_t i = 0; i < b->done; i++)
		b->v[i].l->gone |= b->v[i].goes;
	for (size_t i = 0; i < b->revisions.count; i++)
		revision_purge(st, b->revisions.v[i]);
	store_purge_all(st, &b->tags);
	return 0;
}

static int run_batch(struct batch *b, struct err *e)
{
	cleanup_fd int lock = -1;

	if (lock_repository(b->of->w->r->st, b->of->n, &lock, e) < 0 || choose(b, e) < 0)
		return -1;
	if (!digestset_count(&b->goes)) {
		b->done = b->count;
		return 0;
	}
	if (remove_tags(b, e) < 0 || collect_all(b, e) < 0)
		return -1;
	os_cleanup_fd(&lock);
	return finish(b, e);
}

/* What the manifests of a repository name. */
struct naming {
	const struct leave *of;
	struct digestset read, names;
};

static int read_names(void *arg, const struct digest *d, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct naming *nm = arg;
	struct gc_work *w = nm->of->w;
	int found = digestset_has(&nm->read, d) ? 0 : revision_linked(w->r->st, nm->of->n, d, e);

	if (found == 1) {
		digestset_add(&nm->read, d);
		found = gc_references(w, d, &refs, e);
	}
	for (size_t i = 0; found == 1 && i < refs.count; i++)
		digestset_add(&nm->names, &refs.v[i]);
	return found < 0 ? -1 : 0;
}

/* What only removed manifests named is not to be linked any more. Under the lock only manifests are read that have come since. */
static int forget_names(const struct leave *of, struct err *e)
{
	struct naming nm = { .of = of };
	struct store *st = of->w->r->st;
	cleanup_fd int lock = -1;
	int rc = -1;

	if (revision_walk(st, of->n, read_names, &nm, e) == 0 && lock_repository(st, of->n, &lock, e) == 0 &&
	    revision_walk(st, of->n, read_names, &nm, e) == 0)
		rc = mirror_unname(st, of->n, &nm.names, e);
	digestset_release(&nm.read);
	digestset_release(&nm.names);
	return rc;
}

int evict_manifests(struct gc_work *w, const struct name *n, struct evict_link **v, size_t count, bool even, struct evict_result *out,
		    struct err *e)
{
	struct leave of = { .w = w, .n = n, .even = even, .out = out };
	int rc = even ? 0 : evict_pinned(w, n, &of.pinned, e);

	for (size_t at = 0; rc == 0 && at < count;) {
		struct batch b = { .of = &of };

		read_batch(&b, v + at, count - at);
		/* There may be many notes, which are not to be read while writers wait for the repository. */
		rc = collector_hear(w->c, e) < 0 ? -1 : run_batch(&b, e);
		at += b.done;
		gc_leave(w);
		release(&b);
	}
	if (rc == 0)
		rc = forget_names(&of, e);
	digestset_release(&of.pinned);
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
