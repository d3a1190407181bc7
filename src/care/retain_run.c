/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retain_run: all repositories, one after the other.
 *
 * Owns a run, with the lock of runs, from begin to end. Invariant: a tag goes only by a rule that may delete by now.
 */
#include "care/retain_run.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/pattern.h"
#include "base/time.h"
#include "care/retain_bytes.h"
#include "care/retain_read.h"
#include "care/retain_remove.h"
#include "care/retain_state.h"
#include "store/repo.h"
#include "store/tag.h"

#define TRIES 4         /* of one repository, where others change what a decision rests on; the next run goes on */

struct retain_run {
	struct registry *r;
	const struct retain_options *o;
	struct retain_state s;
	struct retain_rule_sum *sums;   /* of each rule of the configuration */
	struct retain_result total;
	uint64_t removed;               /* so far, by all rules */
};

int retain_begin(struct retain_run **out, struct registry *r, const struct retain_options *o, struct err *e)
{
	struct retain_run *run = xcalloc(1, sizeof(*run));
	int rc;

	*out = NULL;
	run->r = r;
	run->o = o;
	rc = retain_state_begin(&run->s, r->st, r->cfg, !o->dry_run, !o->dry_run && o->by_hand && !o->repo, e);
	if (rc <= 0) {
		free(run);
		return rc;
	}
	run->sums = xcalloc(r->cfg->nrules + 1, sizeof(*run->sums));
	*out = run;
	return 1;
}

/* One repository. */
struct work {
	struct retain_run *run;
	const struct rule *rule;
	struct retain_rule_sum *sum;
	int64_t from;                   /* see struct retain_told */
	struct retain_reading rd;
	int64_t removed;
};

static void tell(const struct work *w, const struct retain_tag *t)
{
	const struct retain_options *o = w->run->o;

	if (o->tell)
		o->tell(o->arg, &(struct retain_told){ .n = w->rd.n, .rule = w->rule, .tag = t, .now = w->rd.now, .from = w->from });
}

static void removed(void *arg, const struct retain_tag *t)
{
	struct work *w = arg;

	w->removed++;
	w->sum->removed++;
	w->run->removed++;
	tell(w, t);
}

/* Nothing is removed: count, and say what would be. */
static int look_only(struct work *w, const struct retain_set *s, struct err *e)
{
	struct retain_result *total = &w->run->total;
	uint64_t goes = 0, bytes = 0;

	for (size_t i = 0; i < s->count; i++) {
		goes += !retain_stays(&s->tags[i]);
		if (w->run->o->dry_run)
			tell(w, &s->tags[i]);
	}
	if (goes && retain_bytes(&w->rd, s, &bytes, e) < 0)
		return -1;
	total->bytes += bytes;
	if (w->from) {
		w->sum->waiting += goes;
		w->sum->waiting_bytes += bytes;
	} else {
		w->sum->removed += goes;
	}
	return 0;
}

/* Read and decide, and remove: 0, 1 if it has to be done anew, -1 with *e. */
static int apply_once(struct work *w, bool orphans, struct err *e)
{
	cleanup_retain_set struct retain_set s = RETAIN_SET_INIT;
	struct retain_removing rm = { .rd = &w->rd, .s = &s, .orphans = orphans, .removed = removed, .arg = w, .before = w->run->removed };
	struct retain_times at = { .now = w->rd.now, .last = w->run->s.last.when, .grace = w->run->r->cfg->gc_grace };
	struct retain_result *total = &w->run->total;
	int rc;

	/* Tags that were pushed since the run began are not ahead of the clock. */
	if (retain_read(&w->rd, &s, e) < 0 || retain_state_clock(&w->run->s, &at.clock, e) < 0)
		return -1;
	retain_decide(&s, w->rule, &at);
	if (w->run->o->dry_run || w->from)
		rc = look_only(w, &s, e);
	else
		rc = retain_remove(&rm, e);
	total->changed += rm.changed;
	if (rc != 0 || orphans)
		return rc;
	total->tags += s.count;
	total->behind += s.count && s.tags[0].why == RETAIN_CLOCK ? s.count : 0;
	return 0;
}

static int apply(struct retain_run *run, const struct name *n, bool orphans, struct err *e)
{
	const struct rule *rule = rules_find(run->r->cfg, n, RULE_KEEP);
	struct work w = { .run = run, .rule = rule };
	int rc = 1;

	if (!rule || rules_readonly(run->r->cfg, n) || (run->o->repo && !pattern_match(run->o->repo, n->s, n->len)))
		return 0;
	w.sum = &run->sums[rule - run->r->cfg->rules];
	w.from = run->o->by_hand ? 0 : retain_state_from(&run->s, rule, RULE_KEEP);
	w.rd = (struct retain_reading){ .r = run->r, .n = n, .rule = rule, .now = run->s.now, .since = run->s.since, .pulls = run->o->dry_run,
					.pace = run->o->pace, .arg = run->o->arg };
	if (orphans && w.from)
		return 0;
	w.sum->from = w.from;
	run->total.repositories += !orphans;
	for (int tries = 0; rc == 1 && tries < TRIES; tries++)
		rc = apply_once(&w, orphans, e);
	return rc < 0 ? -1 : (int)w.removed;
}

static int apply_one(void *arg, const struct name *n, struct err *e)
{
	struct retain_run *run = arg;

	if (run->o->pace && run->o->pace(run->o->arg, e) < 0)
		return -1;
	return apply(run, n, false, e) < 0 ? -1 : 0;
}

int retain_all(struct retain_run *run, struct err *e)
{
	return rules_any(run->r->cfg, RULE_KEEP) ? repo_walk(run->r->st, NULL, apply_one, run, e) : 0;
}

/* Most repositories have no such tag: their names tell. */
int retain_orphans(struct retain_run *run, const struct name *n, struct err *e)
{
	cleanup_names struct names tags = NAMES_INIT;

	if (!rules_find(run->r->cfg, n, RULE_KEEP))
		return 0;
	if (tag_names(run->r->st, n, &tags, e) < 0)
		return -1;
	for (size_t i = 0; i < tags.count; i++)
		if (rules_tag_of_digest(tags.v[i]))
			return apply(run, n, true, e);
	return 0;
}

bool retain_untagged(const struct retain_run *run, const struct rule *rule)
{
	return retain_state_from(&run->s, rule, RULE_UNTAGGED) == 0;
}

const struct retain_rule_sum *retain_sums(const struct retain_run *run)
{
	return run->sums;
}

static void add_up(struct retain_run *run)
{
	run->total.removed = run->total.waiting = 0;
	for (size_t i = 0; i < run->r->cfg->nrules; i++) {
		run->total.removed += run->sums[i].removed;
		run->total.waiting += run->sums[i].waiting;
	}
}

/* sum  NULL: of `untagged`; what that will remove depends on what `keep` has let go by then */
static void log_waits(const struct rule *rule, const struct retain_rule_sum *sum, int64_t when)
{
	char text[TIME_RFC3339_MAX];
	struct log_event ev;

	log_begin(&ev, LOG_INFO, "rules");
	log_str(&ev, "rule", rule->where);
	log_str(&ev, "member", rules_members[sum ? RULE_KEEP : RULE_UNTAGGED]);
	if (sum) {
		log_int(&ev, "would_remove", (int64_t)sum->waiting);
		log_int(&ev, "bytes", (int64_t)sum->waiting_bytes);
	}
	log_str(&ev, "from", time_text(text, when));
	log_end(&ev);
}

void retain_log(const struct retain_run *run)
{
	const struct config *cfg = run->r->cfg;
	struct log_event ev;
	uint64_t gone = 0;

	for (size_t i = 0; i < cfg->nrules; i++) {
		int64_t untagged = RULE_SAYS(&cfg->rules[i], RULE_UNTAGGED) ? retain_state_from(&run->s, &cfg->rules[i], RULE_UNTAGGED) : 0;

		gone += run->sums[i].removed;
		if (run->sums[i].from)
			log_waits(&cfg->rules[i], &run->sums[i], run->sums[i].from);
		if (untagged)
			log_waits(&cfg->rules[i], NULL, untagged);
	}
	if (!gone && !run->total.behind)
		return;
	log_begin(&ev, run->total.behind ? LOG_WARN : LOG_INFO, "rules");
	log_int(&ev, "removed", (int64_t)gone);
	log_int(&ev, "behind", (int64_t)run->total.behind);
	log_end(&ev);
}

int retain_end(struct retain_run **runp, bool whole, struct retain_result *out, struct err *e)
{
	struct retain_run *run = *runp;
	bool all = whole && !run->o->repo;
	int rc = 0;

	add_up(run);
	*out = run->total;
	if (whole || out->removed)
		rc = retain_state_end(&run->s, all, out->removed, all ? out->waiting : UINT64_MAX, e);
	retain_state_release(&run->s);
	free(run->sums);
	free(run);
	*runp = NULL;
	return rc;
}
