/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc_sweep: small batches while a master serves; long ones, shared among processes, while none does. Without readers garbage is
 * removed in place: one rename less, and no trash directory that all processes wait for.
 *
 * Owns what a batch moved to the trash until that is removed. Candidates are divided into runs; the progress of each run is in
 * memory that all processes share, so that a batch may end in the middle of a run.
 */
#include "care/gc_sweep.h"

#include <stdlib.h>

#include "base/mem.h"
#include "care/share.h"
#include "store/blob.h"
#include "store/quota_hold.h"

#define RUN_MAX 256                     /* candidates */

struct sweep {
	struct gc_work *w;
	struct gc_marks *m;
	struct gc_candidates found;     /* by this job: content of links that are kept; later, blobs that nothing names */
	bool sizes;                     /* add up the sizes of kept blobs: a master serves, whose metrics show it */

	/* what is swept now: links, or blobs */
	const struct gc_candidates *c;
	int (*one)(struct sweep *s, const struct gc_candidate *c, struct err *e);
	size_t *begins, nruns;          /* run i: the candidates from begins[i] to before begins[i + 1] */
	size_t *at;                     /* shared: how many candidates of each run are done */

	bool *touched;                  /* repositories that lost a link since their last flush */
	size_t repository;              /* its links are being swept */
	size_t flushed;                 /* the directories of those before this one are flushed */
	struct names trashed;           /* in the trash */
	size_t nready;                  /* the first ones in the trash, of repositories that are done with */
};

/* One link, under the exclusive lock. */
static int sweep_link(struct sweep *s, const struct gc_candidate *c, struct err *e)
{
	struct name n = gc_name(s->m->names.v[c->repository]);
	struct store *st = s->w->r->st;
	cleanup_str struct str trashed = STR_INIT;
	struct digest target;
	int64_t when;
	int found = blob_link_age(st, &n, &c->d, &when, &target, e);

	/* Candidates are grouped by repository: the first one of another shows that the previous repository is done with. */
	if (c->repository != s->repository) {
		s->repository = c->repository;
		s->nready = s->trashed.count;
	}
	if (found == 0 && s->w->alone && !s->w->o->dry_run)
		blob_tidy_link(st, &n, &c->d);
	if (found <= 0)
		return found;
	if (gc_in_grace(s->w, when) || collector_noted(s->w->c, &c->d)) {
		gc_candidates_add(&s->found, 0, &target);
		return 0;
	}
	if (!s->w->o->dry_run && s->w->alone)
		found = blob_remove_link(st, &n, &c->d, e);
	else if (!s->w->o->dry_run)
		found = blob_collect_link(st, &n, &c->d, &trashed, e);
	if (found <= 0)
		return found;
	s->touched[c->repository] = !s->w->o->dry_run;
	if (trashed.len)
		names_add(&s->trashed, trashed.buf, trashed.len);
	gc_tell(s->w, GC_LINK, &n, c->d.text, 0);
	return 0;
}

static int sweep_blob(struct sweep *s, const struct gc_candidate *c, struct err *e)
{
	cleanup_str struct str trashed = STR_INIT;
	uint64_t size;
	int64_t when;
	int found = blob_age(s->w->r->st, &c->d, &when, &size, e);

	if (found == 1 && (gc_in_grace(s->w, when) || collector_noted(s->w->c, &c->d))) {
		s->w->out->kept++;
		s->w->out->kept_bytes += size;
		return 0;
	}
	if (!s->w->o->dry_run && s->w->alone && found >= 0)     /* also a directory without data */
		found = blob_remove(s->w->r->st, &c->d, e);
	else if (!s->w->o->dry_run && found == 1)
		found = blob_collect(s->w->r->st, &c->d, &trashed, e);
	if (found <= 0)
		return found;
	if (trashed.len)
		names_add(&s->trashed, trashed.buf, trashed.len);
	s->w->out->bytes += size;
	gc_tell(s->w, GC_BLOB, NULL, c->d.text, size);
	return 0;
}

/*
 * Empty the trash of the links of repositories that are done with (or of all). Their removal is flushed first: a power cut must
 * not bring back a directory that has lost its link.
 */
static int purge_links(struct sweep *s, bool all, struct err *e)
{
	struct store *st = s->w->r->st;
	size_t until = all ? s->m->names.count : s->repository, ready = all ? s->trashed.count : s->nready, i;

	for (; s->flushed < until; s->flushed++) {
		struct name n = gc_name(s->m->names.v[s->flushed]);

		if (s->touched[s->flushed] && blob_flush_links(st, &n, e) < 0)
			return -1;
		s->touched[s->flushed] = false;
	}
	for (i = 0; i < ready; i++)
		blob_purge_link(st, s->trashed.v[i]);
	names_drop(&s->trashed, ready);
	s->nready = 0;
	if (all)                        /* the next batch may continue with any repository */
		s->flushed = s->repository = 0;
	return 0;
}

static int purge(struct sweep *s, bool all, struct err *e)
{
	if (s->one == sweep_link)
		return purge_links(s, all, e);
	for (size_t i = 0; i < s->trashed.count; i++)
		blob_purge(s->w->r->st, s->trashed.v[i]);
	names_drop(&s->trashed, s->trashed.count);
	return 0;
}

static int sweep_run(void *arg, size_t i, struct err *e)
{
	struct sweep *s = arg;

	while (s->begins[i] + s->at[i] < s->begins[i + 1]) {
		if (!gc_batch_goes_on(s->w))
			return 1;
		if (s->one(s, &s->c->v[s->begins[i] + s->at[i]], e) < 0)
			return -1;      /* the next batch may begin with this one */
		s->at[i]++;
	}
	return 0;
}

static void begin(void *arg, struct str *out)
{
	gc_helper_begin(((struct sweep *)arg)->w, out);
}

static int finish(void *arg, struct str *out, struct err *e)
{
	struct sweep *s = arg;

	if (purge(s, true, e) < 0)
		return -1;
	if (out) {
		gc_candidates_record(&s->found, 'F', out);
		gc_helper_count(s->w, out);
	}
	return 0;
}

static int accept_found(void *arg, char type, const char *data, size_t len, struct err *e)
{
	struct sweep *s = arg;

	return type == 'F' ? gc_candidates_accept(&s->found, data, len, e) : gc_accept(s->w, type, data, len, e);
}

/* The content of kept links is kept. This is before the next batch, whose helpers would report it as their own. */
static void keep_found(struct sweep *s)
{
	for (size_t i = 0; i < s->found.count; i++)
		digestset_add(&s->m->kept, &s->found.v[i].d);
	s->found.count = 0;
}

/* One batch. If several processes share it, each of them empties the trash of its own before the lock is released. */
static int sweep_batch(struct sweep *s, struct share_job *job, struct err *e)
{
	unsigned processes;
	int rc;

	if (gc_enter(s->w, e) < 0)
		return -1;
	processes = s->w->alone ? gc_processes(s->w, job->tasks - job->first, 2) : 1;
	rc = processes > 1 ? purge(s, true, e) : 0;     /* helpers inherit the list */
	if (rc == 0)
		rc = share_run(job, processes, e);
	gc_unlock(s->w);
	keep_found(s);
	if (rc == 0)
		rc = purge(s, false, e);
	gc_leave(s->w);
	return rc;
}

/* Divide the candidates into runs of one repository each. */
static void part(struct sweep *s, const struct gc_candidates *c)
{
	size_t i;

	s->begins = xcalloc(c->count + 1, sizeof(*s->begins));
	s->nruns = 0;
	for (i = 0; i < c->count; i++)
		if (i == 0 || c->v[i].repository != c->v[i - 1].repository || i - s->begins[s->nruns - 1] == RUN_MAX)
			s->begins[s->nruns++] = i;
	s->begins[s->nruns] = c->count;
}

static int sweep_runs(struct sweep *s, const char *what, struct err *e)
{
	struct share_job job = { .tasks = s->nruns, .begin = begin, .task = sweep_run, .finish = finish, .accept = accept_found,
				 .arg = s };

	while (job.first < job.tasks) {
		if (sweep_batch(s, &job, e) < 0 && quota_try_again(s->w->r->st, e) < 0)
			return -1;
		while (job.first < job.tasks && s->begins[job.first] + s->at[job.first] == s->begins[job.first + 1])
			job.first++;
		gc_progress(s->w, what, s->begins[job.first], s->c->count);
	}
	return purge(s, true, e);
}

static int sweep(struct sweep *s, const struct gc_candidates *c,
		 int (*one)(struct sweep *s, const struct gc_candidate *c, struct err *e), const char *what, struct err *e)
{
	size_t size;
	int rc = -1;

	if (c->count == 0)
		return 0;
	s->c = c;
	s->one = one;
	part(s, c);
	size = s->nruns * sizeof(*s->at);
	s->at = share_memory(size, e);
	if (s->at) {
		rc = sweep_runs(s, what, e);
		share_memory_free(s->at, size);
	}
	free(s->begins);
	return rc;
}

static int add_blob(void *arg, const struct digest *d, struct err *e)
{
	struct sweep *s = arg;

	(void)e;
	gc_pace(s->w);
	if (!digestset_has(&s->m->kept, d)) {
		gc_candidates_add(&s->found, 0, d);
		return 0;
	}
	s->w->out->kept++;
	if (s->sizes)
		s->w->out->kept_bytes += blob_size(s->w->r->st, d);
	return 0;
}

static int list_part(void *arg, size_t i, struct err *e)
{
	struct sweep *s = arg;

	return gc_goes_on(e) < 0 ? -1 : blob_walk(s->w->r->st, (unsigned)i, add_blob, s, e);
}

/* List the content that nothing names, without a lock. */
static int list_blobs(struct sweep *s, struct err *e)
{
	struct share_job job = { .tasks = BLOB_PARTS, .begin = begin, .task = list_part, .finish = finish,
				 .accept = accept_found, .arg = s };
	bool nobody;

	if (collector_nobody_serves(s->w->c, &nobody, e) < 0)
		return -1;
	job.helpers_alone = job.stands_back = !nobody && !s->w->o->rate;
	s->sizes = s->w->out->sized = !nobody && !s->w->o->dry_run;
	return share_run(&job, gc_processes(s->w, BLOB_PARTS, 64), e);
}

/* The removal of all links is durable before the first content is removed: a power cut must not bring back a dangling link. */
int gc_sweep(struct gc_work *w, struct gc_marks *m, struct err *e)
{
	struct sweep s = { .w = w, .m = m, .trashed = NAMES_INIT };
	struct gc_candidates blobs = { 0 };
	int rc;

	s.touched = xcalloc(m->names.count + 1, sizeof(*s.touched));
	rc = sweep(&s, &m->links, sweep_link, "links looked at", e);
	if (rc == 0)
		rc = list_blobs(&s, e);
	blobs = s.found;
	s.found = (struct gc_candidates){ 0 };
	if (rc == 0)
		rc = sweep(&s, &blobs, sweep_blob, "blobs looked at", e);
	free(blobs.v);
	free(s.found.v);
	free(s.touched);
	names_release(&s.trashed);
	return rc;
}
