/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ahead: the process that has the disk write large bodies ahead of their end.
 *
 * Owns that process. Knows nothing of bodies, or of workers.
 */
#include "master/ahead.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/time.h"
#include "master/child.h"
#include "os/process.h"
#include "store/writeout.h"

#define SECOND UINT64_C(1000000)
#define PAUSE_MAX (256 * SECOND)

/* In the new process: does not return. */
static _Noreturn void run(const struct store_options *so)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_str struct str why = STR_INIT;
	struct store *st;

	os_name_process(AHEAD_NAME);
	os_keep_secrets();              /* it has a copy of the master's memory */
	os_signal(SIGINT, SIG_IGN);     /* a terminal sends it to the whole group; the master decides what it means */
	if (store_open_root(&st, so, &e) == 0)
		writeout_run(st, &e);
	err_text(&e, &why);
	log_say(LOG_WARN, "writeout", "%s; large pushes take longer", why.buf);
	exit(1);                        /* not _exit: sanitizers and coverage report there */
}

static void begin(struct ahead *a, const struct store_options *so, unsigned generation, void (*in_child)(void *arg), void *arg)
{
	a->begun = time_now_usec();
	a->told_to_end = false;
	a->generation = generation;
	if (child_begin(&a->pid, "start what begins to write large pushes", in_child, arg))
		run(so);
	if (!a->pid)
		a->not_before = a->begun + SECOND;
}

void ahead_tend(struct ahead *a, const struct store_options *so, unsigned generation, void (*in_child)(void *arg), void *arg)
{
	bool wanted = so->flush && !so->readonly;

	if (a->pid) {
		if (!wanted || a->generation != generation)
			ahead_stop(a);
		return;
	}
	if (a->generation != generation)
		a->pause = a->not_before = 0;
	if (!wanted)
		a->not_before = 0;
	else if (time_now_usec() >= a->not_before)
		begin(a, so, generation, in_child, arg);
}

uint64_t ahead_next(const struct ahead *a)
{
	return a->pid ? 0 : a->not_before;
}

bool ahead_reap(struct ahead *a, pid_t pid, int status)
{
	uint64_t now = time_now_usec();

	if (!a->pid || pid != a->pid)
		return false;
	a->pid = 0;
	if (a->told_to_end)
		return true;
	if (WIFSIGNALED(status))
		log_say(LOG_WARN, "writeout", "ended by signal %d; large pushes take longer until it is started again", WTERMSIG(status));
	a->pause = !a->pause || now - a->begun >= PAUSE_MAX ? SECOND : a->pause < PAUSE_MAX ? a->pause * 2 : a->pause;
	a->not_before = now + a->pause;
	return true;
}

void ahead_stop(struct ahead *a)
{
	if (a->pid && !a->told_to_end)
		kill(a->pid, SIGTERM);
	a->told_to_end = true;
}
