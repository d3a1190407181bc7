/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evictor: when an eviction is due, and the process that does it.
 *
 * Owns that process. Knows nothing of what goes.
 */
#include "master/evictor.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "care/evict.h"
#include "care/mirrors.h"
#include "master/child.h"
#include "os/process.h"
#include "registry/registry.h"
#include "store/collector.h"

#define SECOND UINT64_C(1000000)
#define GLANCE SECOND           /* from one look at what was counted to the next: a look is no system call */
#define AGAIN (60 * SECOND)     /* after one that failed, or could not remove enough: pinned images may be larger than the bound */
#define IDLE_MIN (60 * SECOND)
#define IDLE_MAX (3600 * SECOND)
#define BUSY_MAX (30 * SECOND)  /* a collection is running, which may take hours: each try comes after twice as long */

void evictor_set(struct evictor *v, const struct config *cfg)
{
	bool wanted = cfg->nupstreams && !cfg->readonly;

	v->fresh = wanted;
	v->due = wanted ? time_now_usec() : 0;
	v->not_before = 0;
	v->max = wanted ? cfg->cache.max : 0;
}

uint64_t evictor_next(const struct evictor *v)
{
	uint64_t glance = v->max ? time_now_usec() + GLANCE : 0;

	if (v->pid)
		return 0;
	if (glance < v->not_before)
		glance = v->max ? v->not_before : 0;
	return !glance || (v->due && v->due < glance) ? v->due : glance;
}

/* In the new process: does not return. */
static _Noreturn void run(const struct config *cfg, bool fresh)
{
	static const struct event_by cache = { .login = "cache" };
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct store_options so = registry_store(cfg);
	struct registry reg = { .cfg = cfg, .by = &cache };
	uint64_t begun = time_now_usec();
	struct evict_result gone;
	struct log_event ev;
	int rc = -1;

	os_end_by_asking();
	so.serving = true;
	if (store_open(&st, &so, &e) == 0) {
		reg.st = st;
		if (fresh)
			mirrors_warn(&reg);
		rc = evict_run(&reg, &gone, &e);
	}
	if (rc < 0 && os_asked_to_end())
		os_end();
	if (rc == 1)
		evict_log(&gone, time_now_usec() - begun);
	store_close(&st);
	if (rc >= 0)
		exit(rc == 1 ? 0 : CHILD_BUSY);       /* not _exit: sanitizers and coverage report there */
	log_begin(&ev, LOG_ERROR, "eviction_failed");
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

void evictor_tend(struct evictor *v, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	uint64_t now = time_now_usec();
	bool fresh = v->fresh, over = v->max && now >= v->not_before && metrics_get(METRIC_CACHE_BYTES) > v->max;

	if (v->pid || (!over && (!v->due || now < v->due)))
		return;
	v->not_before = now + GLANCE;
	v->fresh = false;
	if (child_begin(&v->pid, "berth-evict", "evict what the cache has too much of", in_child, arg))
		run(cfg, fresh);
	if (!v->pid)
		v->not_before = v->due = now + AGAIN;
}

/* How often somebody looks for what is idle. */
static uint64_t pause_of(const struct config *cfg)
{
	uint64_t part = cfg->cache.idle / 24 * SECOND;

	return !cfg->cache.idle ? 0 : part < IDLE_MIN ? IDLE_MIN : part > IDLE_MAX ? IDLE_MAX : part;
}

bool evictor_reap(struct evictor *v, const struct config *cfg, pid_t pid, int status)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct store_options so = registry_store(cfg);
	uint64_t now = time_now_usec(), pause = pause_of(cfg);
	bool done = WIFEXITED(status) && WEXITSTATUS(status) == 0, busy = WIFEXITED(status) && WEXITSTATUS(status) == CHILD_BUSY;

	if (!v->pid || pid != v->pid)
		return false;
	v->pid = 0;
	v->busy = !busy ? 0 : !v->busy ? GLANCE : v->busy * 2 < BUSY_MAX ? v->busy * 2 : BUSY_MAX;
	if (v->due && !v->fresh)
		v->due = done ? (pause ? now + pause : 0) : now + (busy ? v->busy : AGAIN);
	if (!v->fresh)          /* else it began with an earlier configuration, and the next one is due */
		v->not_before = now + (busy ? v->busy : done && metrics_get(METRIC_CACHE_BYTES) <= v->max ? GLANCE : AGAIN);
	if (!WIFSIGNALED(status))
		return true;
	log_say(LOG_WARN, "eviction_killed", "by signal %d; the next one goes on", WTERMSIG(status));
	so.serving = true;      /* its mark would have every writer take notes until then */
	if (store_open(&st, &so, &e) < 0 || collector_tidy(st, &e) < 0)
		log_say(LOG_WARN, "collector", "%s", e.cause);
	else
		collector_reserve(st);
	return true;
}

void evictor_stop(struct evictor *v)
{
	v->due = v->max = 0;
	if (v->pid)
		kill(v->pid, SIGTERM);
}
