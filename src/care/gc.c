/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: the order of a collection.
 *
 * Owns nothing. Invariant: nothing is deleted before everything that could keep it has been read: for a manifest its repository,
 * for content all repositories. What became reachable since then was noted by a writer (store/collector.h) or is within the
 * grace period; both are checked under the exclusive lock, right before the deletion.
 */
#include "care/gc.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "care/evict.h"
#include "care/gc_last.h"
#include "care/gc_mark.h"
#include "care/gc_sweep.h"
#include "care/gc_untagged.h"
#include "care/gc_work.h"
#include "care/quotas.h"
#include "care/sizes.h"
#include "store/pulled.h"
#include "store/repo.h"

static int mark_and_sweep(struct gc_work *w, struct err *e)
{
	struct gc_marks m = GC_MARKS_INIT;
	int rc = gc_mark(w, &m, e);

	if (rc == 0)
		rc = gc_sweep(w, &m, e);
	gc_marks_release(&m);
	return rc;
}

static bool is_full(const struct err *e)
{
	return e->sys == ENOSPC || e->sys == EDQUOT;
}

/*
 * Removing a tag needs room, for its mark and its event; removing garbage needs none but the reserve. So on a full disk a collection goes on
 * without the rules, which wait for the next one. What `untagged` says is not done either, then. 0, or -1 with *e, as it was.
 */
static int without_rules(struct gc_work *w, struct err *e)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str why = STR_INIT;
	struct retain_result sum;

	if (!is_full(e))
		return -1;
	err_text(e, &why);
	log_say(LOG_WARN, "rules", "%s: this collection goes on without the rules", why.buf);
	if (w->rules)
		retain_end(&w->rules, false, &sum, &ignored);
	err_release(e);
	*e = (struct err)ERR_INIT;
	return 0;
}

#define ORPHANS_TRIES 8         /* a signature of a signature of a signature ... has a tag of digest scheme each */

/*
 * A tag that speaks of a manifest which has just been removed goes, too. Then what it pointed to may have no tag any more.
 */
static int untagged_of(void *arg, const struct name *n, struct err *e)
{
	struct gc_work *w = arg;
	uint64_t age;
	int orphans = 1;

	if (!gc_untagged_due(w, n, &age))
		return 0;
	for (int tries = 0; orphans > 0 && tries < ORPHANS_TRIES; tries++) {
		uint64_t before = w->out->count[GC_MANIFEST];

		if (gc_untagged(w, n, age, NULL, e) < 0)
			return -1;
		orphans = w->rules && w->out->count[GC_MANIFEST] > before ? retain_orphans(w->rules, n, e) : 0;
	}
	return orphans < 0 ? without_rules(w, e) : 0;
}

static void tell_tag(void *arg, const struct retain_told *t)
{
	struct gc_work *w = arg;
	cleanup_str struct str what = STR_INIT;

	str_addf(&what, "%s %s", t->tag->name, t->tag->digest.text);
	gc_tell(w, GC_TAG, t->n, what.buf, 0);
}

static int pace(void *arg, struct err *e)
{
	gc_pace(arg);
	return gc_goes_on(e);
}

/* Tags first, so that what only they kept may go in the same run. */
static int begin_rules(struct gc_work *w, struct retain_options *ro, struct err *e)
{
	int begun;

	*ro = (struct retain_options){ .dry_run = w->o->dry_run, .tell = tell_tag, .pace = pace, .arg = w };
	if (w->o->only_uploads || w->r->cfg->readonly || !w->r->cfg->nrules)
		return 0;
	begun = retain_begin(&w->rules, w->r, ro, e);
	if (begun < 0)
		return -1;
	if (begun == 0)
		log_say(LOG_INFO, "rules", "another process is applying the rules: this collection goes on without them");
	return w->rules && !w->o->dry_run ? retain_all(w->rules, e) : 0;
}

static int end_rules(struct gc_work *w, bool whole, struct err *e)
{
	struct retain_result sum;

	if (!w->rules)
		return 0;
	if (!w->o->dry_run)
		retain_log(w->rules);
	return retain_end(&w->rules, whole, &sum, e);
}

/* A dry run asks the rules until its end: which manifests would be gone. */
static int collect(struct gc_work *w, struct err *e)
{
	struct retain_options ro;
	struct err at_end = ERR_INIT;
	bool looks = w->o->dry_run;
	int rc = begin_rules(w, &ro, e), ended;

	if (rc < 0)
		rc = without_rules(w, e);

	/* Manifests before content, so that what only they name is removed in the same run. */
	if (rc == 0 && !w->o->only_uploads && !looks && (w->o->untagged || rules_any(w->r->cfg, RULE_UNTAGGED)))
		rc = repo_walk(w->r->st, NULL, untagged_of, w, e);
	if (rc == 0 && looks && !w->o->only_uploads)
		rc = mark_and_sweep(w, e);
	ended = end_rules(w, rc == 0, &at_end);
	if (rc == 0 && ended < 0) {
		*e = at_end;
		rc = without_rules(w, e);
	} else {
		err_release(&at_end);
	}
	return rc == 0 && !looks && !w->o->only_uploads ? mark_and_sweep(w, e) : rc;
}

static int tidy_pulls(struct gc_work *w, struct err *e)
{
	int64_t now;

	if (w->o->only_uploads || w->o->dry_run)
		return 0;
	return collector_now(w->c, &now, e) < 0 ? -1 : pulled_tidy(w->r->st, now, e);
}

/* For lists alone, where somebody serves: that it fails is no failure of the collection. */
static void note_sizes(const struct gc_work *w)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_str struct str text = STR_INIT;

	if (!w->out->sized || sizes_write(w->r, &e) == 0)
		return;
	err_text(&e, &text);
	log_say(LOG_WARN, "sizes", "the sizes of repositories are not written down: %s", text.buf);
}

/* What is cached of other registries goes by rules of its own, and at once. */
static int evict_first(struct gc_work *w, struct err *e)
{
	struct evict_result gone;
	uint64_t since = time_now_usec();
	struct log_event ev;

	if (w->o->only_uploads || w->o->dry_run)
		return 0;
	if (evict_within(w, &gone, e) < 0) {
		/* What it had to remove stays; that is no reason to keep garbage. */
		log_begin(&ev, LOG_ERROR, "eviction_failed");
		log_err(&ev, e);
		log_end(&ev);
		err_release(e);
		*e = (struct err)ERR_INIT;
		return gc_goes_on(e);
	}
	evict_log(&gone, time_now_usec() - since);
	w->out->count[GC_MANIFEST] += gone.manifests;
	w->out->count[GC_LINK] += gone.links;
	w->out->count[GC_BLOB] += gone.blobs;
	w->out->bytes += gone.bytes;
	return 0;
}

/* Only who has the lock of runs knows that nobody else collects and that none has ended since it was found to be due. */
static int give_way(struct gc_work *w, struct err *e)
{
	uint64_t since;
	int found = collector_last(w->r->st, &since, e);

	if (found == 0 || (found == 1 && since + 1 >= w->o->every))
		return 1;
	return collector_end(&w->c, found < 0 ? NULL : e) < 0 || found < 0 ? -1 : 0;
}

/* An eviction ends soon, and is no reason not to collect. */
static int begin(struct gc_work *w, struct err *e)
{
	int begun = collector_begin(&w->c, w->r->st, e);

	for (int i = 0; begun == 0 && w->r->cfg->nupstreams && i < COLLECTOR_TRIES; i++)
		begun = gc_goes_on(e) < 0 ? -1 : collector_begin(&w->c, w->r->st, e);
	return begun == 1 && w->o->every ? give_way(w, e) : begun;
}

int gc_run(struct registry *r, const struct gc_options *o, struct gc_result *out, struct err *e)
{
	struct gc_work w = { .r = r, .o = o, .out = out };
	cleanup_str struct str text = STR_INIT;
	struct err at_end = ERR_INIT;
	uint64_t since = time_now_usec();
	int begun = begin(&w, e), rc;

	*out = (struct gc_result){ 0 };
	if (begun <= 0)
		return begun;
	/* Who counts has a lock that batches need. */
	rc = o->only_uploads || o->dry_run ? 0 : quotas_prepare(r, e);
	if (rc == 0)
		rc = evict_first(&w, e);
	if (rc == 0)
		rc = collect(&w, e);
	if (rc == 0)
		rc = gc_leftovers(&w, e);
	if (rc == 0)
		rc = tidy_pulls(&w, e);
	if (rc == 0)
		note_sizes(&w);
	if (o->only_uploads) {
		metrics_add(METRIC_UPLOADS_ENDED, out->count[GC_UPLOAD]);
	} else if (rc == 0 && !o->dry_run) {
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
	static const char *const names[GC_KINDS] = { "by_rules", "manifests", "links", "blobs", "uploads", "leftovers", "unreadable" };
	struct log_event ev;
	int kind;

	log_begin(&ev, LOG_INFO, o->only_uploads ? "purged" : o->dry_run ? "would_collect" : "collected");
	for (kind = o->only_uploads ? GC_UPLOAD : 0; kind < (o->only_uploads ? GC_UNREADABLE : GC_KINDS); kind++)
		log_int(&ev, names[kind], (int64_t)r->count[kind]);
	log_int(&ev, "bytes", (int64_t)r->bytes);
	if (!o->only_uploads)
		log_int(&ev, "kept_blobs", (int64_t)r->kept);
	log_ms(&ev, "ms", usec);
	log_end(&ev);
}
