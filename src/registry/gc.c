/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: the order of a collection.
 *
 * Owns nothing. Invariant: nothing is deleted before all that could keep it has been read; what became reachable since is
 * noted by writers (store/collector.h) or young, and both are looked at under the exclusive lock, right before the
 * deletion.
 */
#include "registry/gc.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/dir.h"
#include "registry/gc_last.h"
#include "registry/gc_mark.h"
#include "registry/gc_sweep.h"
#include "registry/gc_untagged.h"
#include "registry/gc_work.h"
#include "store/repo.h"

struct sweep {
	struct gc_work *w;
	struct gc_marks m;
	struct gc_candidates blobs;

	bool *touched;                  /* of which repositories a link went */
	size_t at, flushed;             /* the repository whose links are swept; those before it whose directories are flushed */
	struct names trashed;           /* links in the trash */
	size_t nready;                  /* as many of them are of repositories before `at` */
};

/* One link, under the exclusive lock: 1 taken, 0 it stays. */
static int sweep_link(struct sweep *s, const struct name *n, const struct digest *d, struct names *trashed, struct err *e)
{
	cleanup_str struct str taken = STR_INIT;
	struct digest target;
	int64_t when;
	int found = blob_link_age(s->w->r->st, n, d, &when, &target, e);

	if (found <= 0)
		return found;
	if (gc_is_young(s->w, when) || collector_noted(s->w->c, d)) {
		digestset_add(&s->m.kept, &target);
		return 0;
	}
	if (!s->w->o->dry_run && (found = blob_collect_link(s->w->r->st, n, d, &taken, e)) <= 0)
		return found;
	if (taken.len)
		names_add(trashed, taken.buf, taken.len);
	gc_tell(s->w, GC_LINK, n, d->text, 0);
	return 1;
}

/* Candidates of one repository stand together: when one of another comes, that of before is done with. */
static int sweep_next_link(struct sweep *s, const struct gc_candidate *c, struct err *e)
{
	struct name n = gc_name(s->m.names.v[c->repository]);
	int rc;

	if (c->repository != s->at) {
		s->at = c->repository;
		s->nready = s->trashed.count;
	}
	rc = sweep_link(s, &n, &c->d, &s->trashed, e);
	if (rc == 1)
		s->touched[c->repository] = true;
	return rc;
}

/*
 * What was taken from repositories that are done with is emptied out of the trash, but not before its going is durable: a
 * crash must not bring back a directory that has lost its link.
 */
static int purge_links(struct sweep *s, struct err *e)
{
	size_t i;

	for (; s->flushed < s->at; s->flushed++) {
		struct name n = gc_name(s->m.names.v[s->flushed]);

		if (s->touched[s->flushed] && blob_flush_links(s->w->r->st, &n, e) < 0)
			return -1;
	}
	for (i = 0; i < s->nready; i++)
		blob_purge_link(s->w->r->st, s->trashed.v[i]);
	names_drop(&s->trashed, s->nready);
	s->nready = 0;
	return 0;
}

/* One batch of links, from *i on. */
static int sweep_some_links(struct sweep *s, size_t *i, struct err *e)
{
	const struct gc_candidates *links = &s->m.links;
	int rc = 0;

	if (gc_enter(s->w, e) < 0)
		return -1;
	while (rc >= 0 && *i < links->count && gc_batch_goes_on(s->w))
		rc = sweep_next_link(s, &links->v[(*i)++], e);
	gc_unlock(s->w);
	if (rc >= 0 && !s->w->o->dry_run)
		rc = purge_links(s, e);
	gc_leave(s->w);
	return rc < 0 ? -1 : 0;
}

/* All links are gone for good before the first content goes: a crash must not bring one back that points to nothing. */
static int sweep_links(struct sweep *s, struct err *e)
{
	size_t i = 0;
	int rc = 0;

	s->touched = xcalloc(s->m.names.count + 1, sizeof(*s->touched));
	while (rc == 0 && i < s->m.links.count) {
		rc = sweep_some_links(s, &i, e);
		gc_progress(s->w, "links looked at", i, s->m.links.count);
	}
	if (rc < 0 || s->w->o->dry_run)
		return rc;
	s->at = s->m.names.count;
	s->nready = s->trashed.count;
	return purge_links(s, e);
}

static int take_blob(void *arg, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;

	(void)e;
	gc_pace(s->w);
	if (!digestset_has(&s->m.kept, d)) {
		gc_candidates_add(&s->blobs, 0, d);
		return 0;
	}
	s->w->out->kept++;
	if (!s->w->o->dry_run)
		s->w->out->kept_bytes += blob_size(s->w->r->st, d);
	return 0;
}

static int sweep_blob(struct sweep *s, const struct digest *d, struct names *trashed, struct err *e)
{
	cleanup_str struct str taken = STR_INIT;
	uint64_t size;
	int64_t when;
	int found = blob_age(s->w->r->st, d, &when, &size, e);

	if (found == 1 && (gc_is_young(s->w, when) || collector_noted(s->w->c, d))) {
		s->w->out->kept++;
		s->w->out->kept_bytes += size;
		return 0;
	}
	if (found == 1 && !s->w->o->dry_run)
		found = blob_collect(s->w->r->st, d, &taken, e);
	if (found <= 0)
		return found;
	if (taken.len)
		names_add(trashed, taken.buf, taken.len);
	s->w->out->bytes += size;
	gc_tell(s->w, GC_BLOB, NULL, d->text, size);
	return 1;
}

static int sweep_blobs(struct sweep *s, struct err *e)
{
	size_t i = 0, j;

	if (blob_walk(s->w->r->st, take_blob, s, e) < 0)
		return -1;
	while (i < s->blobs.count) {
		cleanup_names struct names trashed = NAMES_INIT;
		int rc = 0;

		if (gc_enter(s->w, e) < 0)
			return -1;
		while (rc >= 0 && i < s->blobs.count && gc_batch_goes_on(s->w))
			rc = sweep_blob(s, &s->blobs.v[i++].d, &trashed, e);
		gc_unlock(s->w);
		for (j = 0; j < trashed.count; j++)
			blob_purge(s->w->r->st, trashed.v[j]);
		gc_leave(s->w);
		gc_progress(s->w, "blobs looked at", i, s->blobs.count);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static void sweep_release(struct sweep *s)
{
	gc_marks_release(&s->m);
	free(s->blobs.v);
	free(s->touched);
	names_release(&s->trashed);
}

static int mark_and_sweep(struct gc_work *w, struct err *e)
{
	struct gc_marks m = GC_MARKS_INIT;
	int rc;

	w->tells = true;
	rc = gc_mark(w, &m, e);
	if (rc == 0)
		rc = gc_sweep(w, &m, e);
	gc_marks_release(&m);
	return rc;
}

static int untagged_of(void *arg, const struct name *n, struct err *e)
{
	cleanup_digestset struct digestset gone = DIGESTSET_INIT;

	return gc_untagged(arg, n, &gone, e);
}

/* Manifests go first, so that what they alone named goes in the same run; but nothing goes before all could be read. */
static int sweep_untagged(struct gc_work *w, struct err *e)
{
	struct gc_marks trial = GC_MARKS_INIT;
	int rc = gc_mark(w, &trial, e);

	gc_marks_release(&trial);
	return rc < 0 ? -1 : repo_walk(w->r->st, NULL, untagged_of, w, e);
}

int gc_run(struct registry *r, const struct gc_options *o, struct gc_result *out, struct err *e)
{
	struct gc_work w = { .r = r, .o = o, .out = out };
	cleanup_str struct str text = STR_INIT;
	struct err at_end = ERR_INIT;
	uint64_t since = time_now_usec();
	int begun = collector_begin(&w.c, r->st, e), rc;

	*out = (struct gc_result){ 0 };
	if (begun <= 0)
		return begun;
	rc = o->untagged && !o->dry_run ? sweep_untagged(&w, e) : 0;
	if (rc == 0)
		rc = mark_and_sweep(&w, e);
	if (rc == 0)
		rc = gc_leftovers(&w, e);
	if (rc == 0 && !o->dry_run) {
		gc_last_text(out, time_now_usec() - since, &text);
		rc = collector_done(w.c, &text, e);
	}
	if (collector_end(&w.c, &at_end) < 0 && rc == 0) {
		*e = at_end;
		rc = -1;
	}
	return rc < 0 ? -1 : 1;
}

void gc_presets(const struct config *cfg, struct gc_options *o)
{
	*o = (struct gc_options){ .untagged = cfg->gc_untagged, .grace = cfg->gc_grace, .uploads = cfg->gc_uploads,
				  .rate = cfg->gc_rate };
}

void gc_log(const struct gc_options *o, const struct gc_result *r, uint64_t usec)
{
	static const char *const names[GC_KINDS] = { "manifests", "links", "blobs", "uploads", "leftovers", "unreadable" };
	struct log_event ev;
	int kind;

	log_begin(&ev, LOG_INFO, o->dry_run ? "would_collect" : "collected");
	for (kind = 0; kind < GC_KINDS; kind++)
		log_int(&ev, names[kind], (int64_t)r->count[kind]);
	log_int(&ev, "bytes", (int64_t)r->bytes);
	log_int(&ev, "kept_blobs", (int64_t)r->kept);
	log_ms(&ev, "ms", usec);
	log_end(&ev);
}
