/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: mark without locks, sweep in small batches.
 *
 * Owns the sets of one run. Invariant: nothing is deleted before all that could keep it has been read; what became
 * reachable since is noted by writers (store/collector.h) or young, and both are looked at under the exclusive lock,
 * right before the deletion.
 */
#include "registry/gc.h"

#include <stdlib.h>
#include <string.h>

#include "base/digestset.h"
#include "base/log.h"
#include "base/mem.h"
#include "os/dir.h"
#include "registry/gc_untagged.h"
#include "registry/gc_work.h"
#include "registry/references.h"
#include "store/blob.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

struct candidate {
	size_t repository;              /* index in `names` */
	struct digest d;
};

struct sweep {
	struct gc_work *w;
	struct digestset kept;          /* content that something names */
	struct names names;             /* of the repositories that have candidates */
	struct candidate *links, *blobs;
	size_t nlinks, links_cap, nblobs, blobs_cap;

	uint64_t repositories;          /* looked at */

	/* of the repository that is being marked */
	const struct name *n;
	struct digestset marked;        /* its manifests that have been looked at */
	struct digestset named;         /* what they name */
	struct digestset gone;          /* in a dry run: those that would go before this */
	bool keep_all;                  /* one of them can't be read */
	bool has_candidates;
};

static void push(struct candidate **v, size_t *count, size_t *cap, size_t repository, const struct digest *d)
{
	if (*count == *cap) {
		*cap = *cap ? *cap * 2 : 256;
		*v = xreallocarray(*v, *cap, sizeof(**v));
	}
	(*v)[(*count)++] = (struct candidate){ repository, *d };
}

/*
 * A digest that a manifest of the repository names. registry:2 writes sha512 links that hold a sha256 digest, and finds
 * the bytes only if its link for that one is there as well.
 */
static int mark_named(struct sweep *s, const struct digest *d, struct err *e)
{
	struct digest target;
	int found;

	digestset_add(&s->kept, d);
	digestset_add(&s->named, d);
	if (d->alg == DIGEST_SHA256)
		return 0;
	found = blob_read_link(s->w->r->st, s->n, d, &target, e);
	if (found == 1) {
		digestset_add(&s->kept, &target);
		digestset_add(&s->named, &target);
	}
	return found < 0 ? -1 : 0;
}

/* A manifest that a link of the repository or one of its tags stands for, and all that it names. */
static int mark_manifest(struct sweep *s, const struct digest *d, const struct digest *content, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	size_t i;
	int found = gc_references(s->w, s->n, content, &refs, e);

	gc_pace(s->w);
	digestset_add(&s->marked, d);
	digestset_add(&s->kept, d);
	digestset_add(&s->kept, content);
	if (found == 0)
		s->keep_all = true;
	for (i = 0; found >= 0 && i < refs.count; i++)
		if (mark_named(s, &refs.v[i], e) < 0)
			found = -1;
	return found < 0 ? -1 : 0;
}

/* A spoilt link stands for what it is called by: fsck may mend it. A directory without a link stands for nothing. */
static int mark_revision(void *arg, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;
	struct digest content = *d;
	int found = digestset_has(&s->gone, d) ? 0 : revision_read(s->w->r->st, s->n, d, &content, e);

	if (found == 0 && !digestset_has(&s->gone, d))
		found = revision_linked(s->w->r->st, s->n, d, e);
	return found <= 0 ? found : mark_manifest(s, d, &content, e);
}

/*
 * What a link holds that is called by a sha256 digest is that digest, or a fault: bytes of another one are of no use to
 * whoever asks for this one. So nine links of ten need not be opened.
 */
static int keep_link(struct sweep *s, const struct digest *d, struct err *e)
{
	struct digest target;
	int found;

	if (d->alg == DIGEST_SHA256 && digestset_has(&s->kept, d))
		return 0;
	found = blob_read_link(s->w->r->st, s->n, d, &target, e);
	if (found == 1)
		digestset_add(&s->kept, &target);
	return found < 0 ? -1 : 0;
}

static int mark_link(void *arg, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;

	gc_pace(s->w);
	if (s->keep_all || digestset_has(&s->named, d))
		return keep_link(s, d, e);
	if (!s->has_candidates)
		names_add(&s->names, s->n->s, s->n->len);
	s->has_candidates = true;
	push(&s->links, &s->nlinks, &s->links_cap, s->names.count - 1, d);
	return 0;
}

/* Tags are roots of their own: one may point to a manifest whose link a crash of another registry has taken away. */
static int mark_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;
	struct digest content = *d;

	(void)t;
	if (digestset_has(&s->marked, d))
		return 0;
	if (revision_read(s->w->r->st, s->n, d, &content, e) < 0)
		return -1;
	return mark_manifest(s, d, &content, e);
}

/* A dry run removes no manifest, so it has to know which ones would be gone by now. */
static int find_gone(struct sweep *s, struct err *e)
{
	struct gc_work *w = s->w;
	int rc;

	if (!w->o->untagged || !w->o->dry_run)
		return 0;
	w->tells = false;
	rc = gc_untagged(w, s->n, &s->gone, e);
	w->tells = true;
	return rc;
}

static int mark_repository(void *arg, const struct name *n, struct err *e)
{
	struct sweep *s = arg;
	struct store *st = s->w->r->st;
	int rc = -1;

	gc_progress(s->w, "repositories looked at", ++s->repositories, 0);
	s->n = n;
	s->keep_all = s->has_candidates = false;
	if (find_gone(s, e) == 0 && revision_walk(st, n, mark_revision, s, e) == 0 &&
	    tag_walk(st, n, mark_tag, s, e) == 0)
		rc = blob_walk_links(st, n, mark_link, s, e);
	digestset_release(&s->marked);
	digestset_release(&s->named);
	digestset_release(&s->gone);
	return rc;
}

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
		digestset_add(&s->kept, &target);
		return 0;
	}
	if (!s->w->o->dry_run && (found = blob_collect_link(s->w->r->st, n, d, &taken, e)) <= 0)
		return found;
	if (taken.len)
		names_add(trashed, taken.buf, taken.len);
	gc_tell(s->w, GC_LINK, n, d->text, 0);
	return 1;
}

static struct name name_of(const struct sweep *s, size_t repository)
{
	const char *text = s->names.v[repository];
	struct name n;

	if (name_parse(&n, text, strlen(text)) < 0)
		abort();        /* it was a name when it was visited */
	return n;
}

/* One batch of links, from *i on; `touched` tells of which repositories one went. */
static int sweep_some_links(struct sweep *s, size_t *i, bool *touched, struct names *trashed, struct err *e)
{
	int rc = 0;

	if (gc_enter(s->w, e) < 0)
		return -1;
	while (rc >= 0 && *i < s->nlinks && gc_batch_goes_on(s->w)) {
		const struct candidate *c = &s->links[(*i)++];
		struct name n = name_of(s, c->repository);

		rc = sweep_link(s, &n, &c->d, trashed, e);
		if (rc == 1)
			touched[c->repository] = true;
	}
	gc_unlock(s->w);
	gc_leave(s->w);
	return rc < 0 ? -1 : 0;
}

/*
 * All links are gone for good before the first content goes: a crash must not bring one back that points to nothing. And
 * before they are emptied out of the trash: it must not bring back a directory that has lost its link.
 */
static int sweep_links(struct sweep *s, struct err *e)
{
	cleanup_free bool *touched = xcalloc(s->names.count + 1, sizeof(*touched));
	cleanup_names struct names trashed = NAMES_INIT;
	size_t i = 0;

	while (i < s->nlinks) {
		if (sweep_some_links(s, &i, touched, &trashed, e) < 0)
			return -1;
		gc_progress(s->w, "links looked at", i, s->nlinks);
	}
	for (i = 0; i < s->names.count && !s->w->o->dry_run; i++) {
		struct name n = name_of(s, i);

		if (touched[i] && blob_flush_links(s->w->r->st, &n, e) < 0)
			return -1;
	}
	for (i = 0; i < trashed.count; i++)
		blob_purge_link(s->w->r->st, trashed.v[i]);
	return 0;
}

static int take_blob(void *arg, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;

	(void)e;
	gc_pace(s->w);
	if (digestset_has(&s->kept, d))
		s->w->out->kept++;
	else
		push(&s->blobs, &s->nblobs, &s->blobs_cap, 0, d);
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
	while (i < s->nblobs) {
		cleanup_names struct names trashed = NAMES_INIT;
		int rc = 0;

		if (gc_enter(s->w, e) < 0)
			return -1;
		while (rc >= 0 && i < s->nblobs && gc_batch_goes_on(s->w))
			rc = sweep_blob(s, &s->blobs[i++].d, &trashed, e);
		gc_unlock(s->w);
		for (j = 0; j < trashed.count; j++)
			blob_purge(s->w->r->st, trashed.v[j]);
		gc_leave(s->w);
		gc_progress(s->w, "blobs looked at", i, s->nblobs);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int mark(struct sweep *s, struct err *e)
{
	return repo_walk(s->w->r->st, NULL, mark_repository, s, e);
}

static void sweep_release(struct sweep *s)
{
	digestset_release(&s->kept);
	names_release(&s->names);
	free(s->links);
	free(s->blobs);
}

static int mark_and_sweep(struct gc_work *w, struct err *e)
{
	struct sweep s = { .w = w, .names = NAMES_INIT };
	int rc;

	w->tells = true;
	rc = mark(&s, e);
	if (rc == 0)
		rc = sweep_links(&s, e);
	if (rc == 0)
		rc = sweep_blobs(&s, e);
	sweep_release(&s);
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
	struct sweep trial = { .w = w, .names = NAMES_INIT };
	int rc = mark(&trial, e);

	sweep_release(&trial);
	return rc < 0 ? -1 : repo_walk(w->r->st, NULL, untagged_of, w, e);
}

int gc_run(struct registry *r, const struct gc_options *o, struct gc_result *out, struct err *e)
{
	struct gc_work w = { .r = r, .o = o, .out = out };
	struct err at_end = ERR_INIT;
	int begun = collector_begin(&w.c, r->st, e), rc;

	*out = (struct gc_result){ 0 };
	if (begun <= 0)
		return begun;
	rc = o->untagged && !o->dry_run ? sweep_untagged(&w, e) : 0;
	if (rc == 0)
		rc = mark_and_sweep(&w, e);
	if (rc == 0)
		rc = gc_leftovers(&w, e);
	if (rc == 0 && !o->dry_run)
		rc = collector_done(w.c, e);
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
