/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict: the order of an eviction.
 *
 * Owns nothing. Invariant: the collection has begun before any link of a mirror is read, so that whatever is linked since is noted
 * (store/collector.h).
 */
#include "care/evict.h"

#include "base/log.h"
#include "care/evict_judge.h"
#include "care/evict_plan.h"
#include "care/evict_remove.h"
#include "care/evict_manifests.h"
#include "care/evict_sizes.h"
#include "care/repos.h"
#include "store/alone.h"
#include "store/mirror.h"
#include "store/repo.h"

#define DROP_TRIES 10           /* of half a second each: another eviction ends soon */

/* What is asked for, beside what the configuration says. */
struct wish {
	const struct name *n;           /* NULL: nothing */
	const struct ref *ref;
	int found;
};

static int choose(struct evict_plan *p, struct gc_work *w, struct wish *wish, struct err *e)
{
	const struct config_cache *c = &w->r->cfg->cache;

	if (wish->n) {
		wish->found = evict_plan_drop(p, w, wish->n, wish->ref, e);
		return wish->found < 0 ? -1 : 0;
	}
	if (collector_now(w->c, &w->now, e) < 0)
		return -1;
	if (c->idle)
		evict_plan_idle(p, c->idle, w->now);
	if (c->max)
		evict_plan_size(p, c->max);
	return 0;
}

/* In a moment in which no content comes: what is counted is there, and what comes later is counted later. */
static int size_before(struct gc_work *w, uint64_t *before, struct err *e)
{
	int rc;

	if (gc_enter(w, e) < 0)
		return -1;
	rc = alone_size(w->r->st, before, e);
	gc_unlock(w);
	gc_leave(w);
	return rc < 0 ? -1 : 0;
}

/* For people alone: that it fails is no failure of the eviction. */
static void note_sizes(const struct evict_plan *p, struct gc_work *w)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_str struct str text = STR_INIT;

	if (evict_sizes_write(p, w, &e) == 0)
		return;
	err_text(&e, &text);
	log_say(LOG_WARN, "sizes", "the sizes of mirrors are not written down: %s", text.buf);
}

/* 1, 0 a repository has ceased to be a copy meanwhile, so that not all links may have been read, -1 with *e */
static int evict(struct gc_work *w, struct wish *wish, const struct str *word, struct evict_result *out, struct err *e)
{
	cleanup_evict_plan struct evict_plan p = EVICT_PLAN_INIT;
	struct store *st = w->r->st;
	uint64_t before;
	int doubted;

	if (size_before(w, &before, e) < 0 || evict_plan_read(&p, w, e) < 0)
		return -1;
	doubted = evict_doubted(w, word, e);
	if (doubted)
		return doubted < 0 ? -1 : 0;
	if (alone_replace(st, p.size, before, e) < 0 || choose(&p, w, wish, e) < 0 || evict_remove(&p, w, wish->n != NULL, out, e) < 0)
		return -1;
	if (wish->found == 1 && wish->ref && wish->ref->kind == REF_TAG && evict_untag(w, wish->n, &wish->ref->tag, e) < 0)
		return -1;
	note_sizes(&p, w);
	return alone_size(st, &out->kept, e) < 0 ? -1 : 1;
}

/* In a registry that is read-only nothing could be fetched again. */
static bool may_evict(const struct registry *r)
{
	return r->cfg->nupstreams && !r->cfg->readonly;
}

int evict_within(struct gc_work *w, struct evict_result *out, struct err *e)
{
	struct gc_options o = { .grace = 0 };
	struct gc_result ignored = { 0 };
	struct gc_work own = { .r = w->r, .o = &o, .out = &ignored, .c = w->c };
	cleanup_str struct str word = STR_INIT;
	struct wish wish = { .n = NULL };

	*out = (struct evict_result){ 0 };
	if (!may_evict(w->r))
		return 0;
	return evict_judge(&own, &word, e) < 0 || evict(&own, &wish, &word, out, e) < 0 ? -1 : 0;
}

/* The links of all other repositories are looked at before collections and moves of repositories are kept from beginning: that may take long. */
static int run(struct registry *r, struct wish *wish, struct evict_result *out, struct err *e)
{
	struct gc_options o = { .grace = 0 };
	struct gc_result ignored = { 0 };
	struct gc_work w = { .r = r, .o = &o, .out = &ignored };
	cleanup_str struct str word = STR_INIT;
	struct err at_end = ERR_INIT;
	int begun, rc;

	*out = (struct evict_result){ 0 };
	begun = evict_judge(&w, &word, e) < 0 ? -1 : collector_begin(&w.c, r->st, e);
	if (begun <= 0)
		return begun;
	collector_phase(w.c, "cache");
	rc = evict(&w, wish, &word, out, e);
	if (collector_end(&w.c, rc >= 0 ? e : &at_end) < 0)
		rc = -1;
	err_release(&at_end);
	return rc;
}

int evict_run(struct registry *r, struct evict_result *out, struct err *e)
{
	struct wish wish = { .n = NULL };

	*out = (struct evict_result){ 0 };
	return may_evict(r) ? run(r, &wish, out, e) : 1;
}

int evict_drop(struct registry *r, const struct name *n, const struct ref *ref, struct evict_result *out, struct err *e)
{
	struct wish wish = { .n = n, .ref = ref };
	int copied = mirror_copied(r->st, n, e), exists = copied ? 0 : repo_exists(r->st, n, e), rc = 0;

	if (copied < 0 || exists < 0)
		return -1;
	if (exists)
		return err_set(e, ERR_DENIED, "%s was pushed, and is no copy: berth repo rm removes it", n->s);
	for (int i = 0; rc == 0 && i < DROP_TRIES; i++)
		rc = run(r, &wish, out, e);
	if (rc == 0)
		return err_set(e, ERR_UNAVAILABLE, "a collection is running; drop %s when it has ended", n->s);
	if (rc < 0 || ref)
		return rc < 0 ? -1 : wish.found;
	/* What is left of a repository without links: its name, and what is known of its tags. */
	rc = repos_forget(r, n, e);
	return rc < 0 ? -1 : rc || wish.found;
}

void evict_log(const struct evict_result *r, uint64_t usec)
{
	struct log_event ev;

	if (!r->manifests && !r->links && !r->blobs)
		return;
	log_begin(&ev, LOG_INFO, "evicted");
	log_int(&ev, "manifests", (int64_t)r->manifests);
	log_int(&ev, "links", (int64_t)r->links);
	log_int(&ev, "blobs", (int64_t)r->blobs);
	log_int(&ev, "bytes", (int64_t)r->bytes);
	log_int(&ev, "kept_bytes", (int64_t)r->kept);
	log_ms(&ev, "ms", usec);
	log_end(&ev);
}
