/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pool: starting, replacing and ending the workers of one socket.
 *
 * Owns the processes of the pool. Knows nothing of what they do.
 */
#include "master/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/process.h"

#define SECOND 1000000u
#define LIVED_WELL (10 * SECOND)        /* a worker that lived longer than this did not fail at start */
#define FREE_DEATHS 2                   /* in a row, beyond one for each worker, before replacing is slowed down */
#define PAUSE_FIRST (SECOND / 4)
#define PAUSE_MAX (8 * SECOND)

struct worker_process {
	pid_t pid;
	unsigned generation;
	bool ready, told_to_end;
	uint64_t born;
};

void pool_release(struct pool *p)
{
	free(p->procs);
	p->procs = NULL;
	p->count = p->cap = 0;
}

static int start(struct pool *p, unsigned generation, void (*run)(void *arg, struct pool *p), void *arg)
{
	/* Workers do not survive a master that is killed: the next master finds the socket free. */
	pid_t pid = os_fork(SIGTERM);

	if (pid < 0) {
		log_say(LOG_ERROR, "fork", "cannot start a worker: %s", strerror(errno));
		p->not_before = time_now_usec() + SECOND;
		return -1;
	}
	if (pid == 0) {
		os_name_process("berth-worker");
		run(arg, p);
	}
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->procs = xreallocarray(p->procs, p->cap, sizeof(*p->procs));
	}
	p->procs[p->count++] = (struct worker_process){ .pid = pid, .generation = generation, .born = time_now_usec() };
	return 0;
}

static void tell_to_end(struct worker_process *w)
{
	if (!w->told_to_end)
		kill(w->pid, SIGTERM);
	w->told_to_end = true;
}

static struct worker_process *find_outdated(struct pool *p, unsigned generation)
{
	for (size_t i = 0; i < p->count; i++)
		if (!p->procs[i].told_to_end && p->procs[i].generation != generation)
			return &p->procs[i];
	return NULL;
}

/* How many workers remain, and how many of those are of this generation, and of those ready. */
static unsigned count(const struct pool *p, unsigned generation, unsigned *fresh, unsigned *ready)
{
	unsigned all = 0;

	*fresh = *ready = 0;
	for (size_t i = 0; i < p->count; i++) {
		const struct worker_process *w = &p->procs[i];

		all += !w->told_to_end;
		*fresh += !w->told_to_end && w->generation == generation;
		*ready += !w->told_to_end && w->generation == generation && w->ready;
	}
	return all;
}

void pool_reset(struct pool *p)
{
	p->deaths = 0;
	p->pause = p->not_before = 0;
}

/* A crash loop is over once a worker has lived well. */
static bool recovered(const struct pool *p)
{
	uint64_t now = time_now_usec();

	for (size_t i = 0; i < p->count; i++)
		if (p->procs[i].ready && now - p->procs[i].born >= LIVED_WELL)
			return true;
	return false;
}

void pool_tend(struct pool *p, unsigned generation, void (*run)(void *arg, struct pool *p), void *arg)
{
	bool reloading = find_outdated(p, generation) != NULL;
	unsigned fresh, ready, all = count(p, generation, &fresh, &ready);
	struct worker_process *old;

	if (p->pause && recovered(p))
		pool_reset(p);
	while ((old = find_outdated(p, generation)) && (all > p->want || ready >= p->want)) {
		if (all - 1 < ready || fresh != ready)
			break;
		tell_to_end(old);
		all--;
	}
	if (time_now_usec() < p->not_before)
		return;
	while (fresh < p->want && (!reloading || fresh == ready)) {
		if (start(p, generation, run, arg) < 0)
			return;
		fresh++;
		if (p->pause) {
			p->not_before = time_now_usec() + p->pause;
			return;
		}
	}
}

void pool_ready(struct pool *p, pid_t pid)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->procs[i].pid == pid)
			p->procs[i].ready = true;
}

/* A worker has died: whether the next ones have to wait, and how long. */
static void slow_down(struct pool *p, uint64_t lived)
{
	unsigned free_deaths = p->want + FREE_DEATHS, doublings;

	if (lived >= LIVED_WELL)
		p->deaths = 0;
	p->pause = 0;
	if (++p->deaths <= free_deaths)
		return;
	doublings = p->deaths - free_deaths - 1;
	p->pause = PAUSE_FIRST << (doublings < 6 ? doublings : 6);
	if (p->pause > PAUSE_MAX)
		p->pause = PAUSE_MAX;
	p->not_before = time_now_usec() + p->pause;
}

static void report_death(const struct pool *p, const struct worker_process *w, int status, uint64_t lived)
{
	struct log_event ev;

	log_begin(&ev, LOG_WARN, p->pause ? "crash_loop" : "worker_died");
	log_int(&ev, "worker", w->pid);
	log_str(&ev, "pool", p->label);
	if (WIFSIGNALED(status))
		log_int(&ev, "signal", WTERMSIG(status));
	else
		log_int(&ev, "exit", WEXITSTATUS(status));
	log_ms(&ev, "lived_ms", lived);
	if (p->pause)
		log_ms(&ev, "next_in_ms", p->pause);
	log_end(&ev);
}

bool pool_reap(struct pool *p, pid_t pid, int status, bool expected)
{
	uint64_t lived;
	size_t i;

	for (i = 0; i < p->count && p->procs[i].pid != pid; i++)
		;
	if (i == p->count)
		return false;
	seats_free(p->seats, pid);
	if (!p->procs[i].told_to_end && !expected) {
		lived = time_now_usec() - p->procs[i].born;
		metrics_add(METRIC_RESTARTS + (enum metric)p->number, 1);
		slow_down(p, lived);
		report_death(p, &p->procs[i], status, lived);
	}
	p->procs[i] = p->procs[--p->count];
	return true;
}

void pool_stop(struct pool *p, bool at_once)
{
	for (size_t i = 0; i < p->count; i++)
		if (at_once)
			kill(p->procs[i].pid, SIGKILL);
		else
			tell_to_end(&p->procs[i]);
}

bool pool_is_of(struct pool *p, unsigned generation)
{
	return !find_outdated(p, generation);
}

bool pool_serves(const struct pool *p)
{
	for (size_t i = 0; i < p->count; i++)
		if (!p->procs[i].told_to_end)
			return true;
	return false;
}

unsigned pool_size(const struct pool *p)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->procs[i].ready && !p->procs[i].told_to_end;
	return n;
}
