/* SPDX-License-Identifier: Apache-2.0 */
/*
 * schedule: when a collection is due, and the process that runs it.
 *
 * Owns that process. Knows nothing of what is garbage, or of workers.
 */
#include "master/schedule.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "care/gc.h"
#include "care/gc_last.h"
#include "os/process.h"
#include "store/collector.h"

#define SECOND UINT64_C(1000000)
#define AGAIN (60 * SECOND)     /* after one that failed, or gave way */

static int open_store(const struct config *cfg, struct store **st, struct err *e)
{
	struct store_options so = { .root = cfg->root, .flush = cfg->fsync };

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

void schedule_set(struct schedule *s, const struct config *cfg)
{
	uint64_t since;

	s->due = 0;
	if (!cfg->gc_every || cfg->readonly)
		return;
	since = since_last(cfg);
	s->due = time_now_usec() + (cfg->gc_every > since ? cfg->gc_every - since : 0) * SECOND;
}

static int collect(const struct config *cfg, struct err *e)
{
	cleanup_store struct store *st = NULL;
	uint64_t begun = time_now_usec(), since;
	struct registry reg = { .cfg = cfg };
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
	if (rc == 1 && since + 1 < cfg->gc_every)
		return 0;               /* another machine has collected meanwhile */
	log_say(LOG_INFO, "collecting", "as every %llu s", (unsigned long long)cfg->gc_every);
	reg.st = st;
	gc_presets(cfg, &o);
	rc = gc_run(&reg, &o, &result, e);
	if (rc < 0 && os_asked_to_end())
		os_end();               /* schedule_reap looks for the signal */
	if (rc == 1) {
		gc_log(&o, &result, time_now_usec() - begun);
		rc = gc_last_adopt(st, true, &last, e) < 0 ? -1 : 1;
	}
	if (rc == 0)
		log_say(LOG_INFO, "collector", "another collection is running");
	return rc < 0 ? -1 : 0;
}

/* In the new process: does not return. */
static _Noreturn void run(const struct config *cfg)
{
	cleanup_err struct err e = ERR_INIT;
	struct log_event ev;

	if (collect(cfg, &e) == 0)
		exit(0);        /* not _exit: sanitizers and coverage report there */
	log_begin(&ev, LOG_ERROR, "collection_failed");
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

void schedule_tend(struct schedule *s, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	if (s->pid || !s->due || time_now_usec() < s->due)
		return;
	s->begun = time_now_usec();
	s->pid = os_fork(SIGTERM);
	if (s->pid == 0) {
		in_child(arg);
		run(cfg);
	}
	if (s->pid > 0)
		return;
	log_say(LOG_ERROR, "fork", "cannot begin a collection: %s", strerror(errno));
	s->pid = 0;
	s->due = time_now_usec() + AGAIN;
}

/* A collection never runs more often than the configuration says, even if it fails or gives way at once. */
static void next(struct schedule *s, const struct config *cfg)
{
	uint64_t pause = cfg->gc_every * SECOND < AGAIN ? cfg->gc_every * SECOND : AGAIN;

	schedule_set(s, cfg);
	if (s->due && s->due < s->begun + pause)
		s->due = s->begun + pause;
}

bool schedule_reap(struct schedule *s, const struct config *cfg, pid_t pid, int status)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;

	if (!s->pid || pid != s->pid)
		return false;
	s->pid = 0;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		metrics_add(METRIC_GC_FAILED, 1);
	if (WIFSIGNALED(status)) {
		log_say(LOG_WARN, "collection_killed", "by signal %d; the next one goes on", WTERMSIG(status));
		/* Its mark would have every writer take notes until then. */
		if (open_store(cfg, &st, &e) < 0 || collector_tidy(st, &e) < 0)
			log_say(LOG_WARN, "collector", "%s", e.cause);
		else
			collector_reserve(st);
	}
	next(s, cfg);
	return true;
}

void schedule_stop(struct schedule *s)
{
	s->due = 0;
	if (s->pid)
		kill(s->pid, SIGTERM);
}
