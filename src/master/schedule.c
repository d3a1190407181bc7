/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule: when a collection is due, and the process that runs it.
 *
 * Owns that process. Knows nothing of what is garbage, or of workers.
 */
#include "master/schedule.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "care/gc.h"
#include "care/gc_last.h"
#include "master/child.h"
#include "os/process.h"
#include "store/collector.h"
#include "store/journal.h"

#define SECOND UINT64_C(1000000)
#define AGAIN (60 * SECOND)     /* after one that failed, or gave way */
#define FIRST_UPLOADS 3600      /* seconds after the start: a master that is restarted every day still looks for them */

static int open_store(const struct config *cfg, struct store **st, struct err *e)
{
	struct store_options so = registry_store(cfg);

	so.serving = true;
	return store_open(st, &so, e);
}

/* Seconds since the last collection ended; 0 if there was none, so that the first one comes after a whole interval. */
static uint64_t since_last(const struct config *cfg)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	uint64_t seconds = 0;

	if (open_store(cfg, &st, &e) < 0 || collector_last(st, &seconds, &e) < 0)
		log_say(LOG_WARN, "collector", "cannot tell when garbage was collected last: %s", e.cause);
	return seconds;
}

static void set_collection(struct schedule *s, const struct config *cfg)
{
	uint64_t since;

	s->due = 0;
	if (!cfg->gc_every || cfg->readonly)
		return;
	since = since_last(cfg);
	s->due = time_now_usec() + (cfg->gc_every > since ? cfg->gc_every - since : 0) * SECOND;
}

void schedule_set(struct schedule *s, const struct config *cfg)
{
	uint64_t every = cfg->readonly ? 0 : cfg->gc_uploads_every;

	set_collection(s, cfg);
	s->uploads_due = every ? time_now_usec() + (every < FIRST_UPLOADS ? every : FIRST_UPLOADS) * SECOND : 0;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a && (!b || a < b) ? a : b;
}

uint64_t schedule_next(const struct schedule *s)
{
	return s->pid ? 0 : earlier(s->asked_due, earlier(s->due, s->uploads_due));
}

void schedule_ask(struct schedule *s, const struct config *cfg)
{
	if (!cfg->readonly && !s->asked_due)
		s->asked_due = time_now_usec();
}

/* What runs now is not the next one, although it is due. */
uint64_t schedule_due(const struct schedule *s)
{
	uint64_t now = time_now_usec(), due = s->pid && !s->uploads ? s->asked_due : earlier(s->asked_due, s->due);

	return due ? (uint64_t)time(NULL) + (due > now ? (due - now) / SECOND : 0) : 0;
}

/* In the journal. */
static const struct event_by collector = { .login = "collector" };

/* 1, 0 a collection is running, -1 with *e */
static int collect_uploads(const struct config *cfg, struct err *e)
{
	cleanup_store struct store *st = NULL;
	uint64_t begun = time_now_usec();
	struct registry reg = { .cfg = cfg, .by = &collector };
	struct gc_options o;
	struct gc_result result;
	int rc;

	os_end_by_asking();
	if (open_store(cfg, &st, e) < 0)
		return -1;
	reg.st = st;
	gc_presets(cfg, &o);
	o.only_uploads = true;
	rc = gc_run(&reg, &o, &result, e);
	if (rc < 0 && os_asked_to_end())
		os_end();
	if (rc == 1 && (result.count[GC_UPLOAD] || result.count[GC_LEFTOVER]))
		gc_log(&o, &result, time_now_usec() - begun);
	return rc < 0 || journal_tend(st, e) < 0 ? -1 : rc;
}

/* What gives way is begun again where somebody has asked for it: "as soon as none is running". */
static int run_whole(struct registry *reg, const struct gc_options *o, bool asked, struct gc_result *result, struct err *e)
{
	int rc = gc_run(reg, o, result, e);

	if (rc == 0)
		log_say(LOG_INFO, "collector", "another collection is running%s", asked ? "; this one waits" : "");
	while (rc == 0 && asked && !os_asked_to_end()) {
		os_sleep(SECOND);
		rc = gc_run(reg, o, result, e);
	}
	return rc;
}

/* 1, or -1 with *e. One that gives way to another is done: the next one is due as long after that one as after any. */
static int collect(const struct config *cfg, bool asked, struct err *e)
{
	cleanup_store struct store *st = NULL;
	uint64_t begun = time_now_usec(), since;
	struct registry reg = { .cfg = cfg, .by = &collector };
	struct gc_options o;
	struct gc_result result;
	struct gc_last last;
	int rc;

	os_end_by_asking();             /* by the master, or when the master dies: see schedule_stop and os_fork */
	rc = open_store(cfg, &st, e);
	if (rc == 0)
		rc = collector_last(st, &since, e);
	if (rc < 0)
		return -1;
	if (!asked && rc == 1 && since + 1 < cfg->gc_every)
		return 1;               /* another machine has collected meanwhile */
	if (asked)
		log_say(LOG_INFO, "collecting", "as somebody has asked");
	else
		log_say(LOG_INFO, "collecting", "as every %llu s", (unsigned long long)cfg->gc_every);
	reg.st = st;
	gc_presets(cfg, &o);
	o.every = asked ? 0 : cfg->gc_every;
	rc = run_whole(&reg, &o, asked, &result, e);
	if (rc < 1 && os_asked_to_end())
		os_end();               /* schedule_reap looks for the signal */
	if (rc == 1) {
		gc_log(&o, &result, time_now_usec() - begun);
		rc = gc_last_adopt(st, true, &last, e) < 0 ? -1 : 1;
	}
	return rc < 0 ? -1 : 1;
}

/* In the new process: does not return. */
static _Noreturn void run(const struct config *cfg, bool uploads, bool asked)
{
	cleanup_err struct err e = ERR_INIT;
	struct log_event ev;
	int rc = uploads ? collect_uploads(cfg, &e) : collect(cfg, asked, &e);

	if (rc >= 0)
		exit(rc == 1 ? 0 : CHILD_BUSY); /* not _exit: sanitizers and coverage report there */
	log_begin(&ev, LOG_ERROR, "collection_failed");
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

void schedule_tend(struct schedule *s, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	uint64_t now = time_now_usec(), next = schedule_next(s);

	if (!next || now < next)
		return;
	s->asked = s->asked_due && now >= s->asked_due;
	s->uploads = !s->asked && (!s->due || now < s->due);
	s->begun = now;
	s->asked_due = s->asked ? 0 : s->asked_due;
	if (child_begin(&s->pid, "berth-collect", "begin a collection", in_child, arg))
		run(cfg, s->uploads, s->asked);
	if (!s->pid)
		*(s->asked ? &s->asked_due : s->uploads ? &s->uploads_due : &s->due) = now + AGAIN;
}

/* A collection never runs more often than the configuration says, even if it fails or gives way at once. */
static void next(struct schedule *s, const struct config *cfg, bool busy)
{
	uint64_t pause = cfg->gc_every * SECOND < AGAIN ? cfg->gc_every * SECOND : AGAIN, every = cfg->gc_uploads_every * SECOND;

	if (s->uploads) {
		s->uploads_due = s->uploads_due ? s->begun + (busy && every > AGAIN ? AGAIN : every) : 0;
		return;
	}
	set_collection(s, cfg);
	if (s->due && s->due < s->begun + pause)
		s->due = s->begun + pause;
}

/* With the number of the last one that did not fail: when another one has ended since, this is not the last any more. */
static void note_failure(const struct schedule *s, const struct config *cfg)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err ignored = ERR_INIT;
	uint64_t now = (uint64_t)time(NULL);
	struct gc_last last = { 0 };
	struct store_options so = { .root = cfg->root, .readonly = true };

	if (store_open_root(&st, &so, &ignored) == 0 && gc_last_read(st, &last, &ignored) < 1)
		last.run = 0;
	metrics_set(METRIC_GC_FAILED_AFTER, last.run);
	metrics_add(METRIC_GC_FAILED, 1);
	metrics_set(METRIC_GC_FAILED_BEGAN, now - (time_now_usec() - s->begun) / SECOND);
	metrics_set(METRIC_GC_FAILED_ENDED, now);
}

bool schedule_reap(struct schedule *s, const struct config *cfg, pid_t pid, int status)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;

	if (!s->pid || pid != s->pid)
		return false;
	s->pid = 0;
	if (!s->uploads && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		note_failure(s, cfg);
	if (WIFSIGNALED(status)) {
		log_say(LOG_WARN, "collection_killed", "by signal %d; the next one goes on", WTERMSIG(status));
		/* Its mark would have every writer take notes until then. */
		if (open_store(cfg, &st, &e) < 0 || collector_tidy(st, &e) < 0)
			log_say(LOG_WARN, "collector", "%s", e.cause);
		else
			collector_reserve(st);
	}
	next(s, cfg, WIFEXITED(status) && WEXITSTATUS(status) == CHILD_BUSY);
	return true;
}

void schedule_stop(struct schedule *s)
{
	s->due = s->uploads_due = s->asked_due = 0;
	if (s->pid)
		kill(s->pid, SIGTERM);
}
