/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gc: the order of a collection.
 *
 * Owns nothing. Invariant: nothing is deleted before everything that could keep it has been read: for a manifest its repository,
 * for content all repositories. What became reachable since then was noted by a writer (store/collector.h) or is within the
 * grace period; both are checked under the exclusive lock, right before the deletion.
 */
#include "care/gc.h"

#include <string.h>

#include "base/log.h"
#include "base/time.h"
#include "care/gc_last.h"
#include "care/gc_mark.h"
#include "care/gc_sweep.h"
#include "care/gc_untagged.h"
#include "care/gc_work.h"
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

static int untagged_of(void *arg, const struct name *n, struct err *e)
{
	return gc_untagged(arg, n, NULL, e);
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
	/* Manifests first, so that what only they name is removed in the same run. */
	rc = o->untagged && !o->dry_run ? repo_walk(r->st, NULL, untagged_of, &w, e) : 0;
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
