/* SPDX-License-Identifier: Apache-2.0 */
/*
 * beside: the processes that a master has beside its workers.
 *
 * Owns these processes. Knows nothing of bodies, or of workers.
 */
#include "master/beside.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/log.h"
#include "base/time.h"
#include "master/child.h"
#include "os/process.h"
#include "store/machines.h"
#include "store/writeout.h"

#define SECOND UINT64_C(1000000)
#define PAUSE_MAX (256 * SECOND)
#define LOST 3                  /* exit status of BEAT: see struct beside */

static const struct {
	const char *name;       /* of the process */
	const char *start, *without;
} kinds[BESIDE_KINDS] = {
	[BESIDE_AHEAD] = { "berth-writeout", "start what begins to write large pushes", "large pushes take longer" },
	[BESIDE_BEAT] = { "berth-beat", "start what shows this machine to others", "other machines cannot see that this one serves" },
};

static void warn(const struct beside *b, const char *why)
{
	if (b->kind == BESIDE_AHEAD)
		log_say(LOG_WARN, "writeout", "%s; %s", why, kinds[b->kind].without);
	else
		log_say(LOG_WARN, "machines", "%s; %s", why, kinds[b->kind].without);
}

static bool is_wanted(const struct beside *b, const struct store_options *so, const struct machine *machine)
{
	if (so->readonly)
		return false;
	return b->kind == BESIDE_AHEAD ? so->flush : machine->fd >= 0;
}

/* In the new process: does not return. */
static _Noreturn void run(const struct beside *b, const struct store_options *so, const struct machine *machine)
{
	cleanup_err struct err e = ERR_INIT;
	cleanup_str struct str why = STR_INIT;
	struct store *st;

	os_keep_secrets();              /* it has a copy of the master's memory */
	os_signal(SIGINT, SIG_IGN);     /* a terminal sends it to the whole group; the master decides what it means */
	if (b->kind == BESIDE_BEAT)
		machines_beat(machine, &e);
	else if (store_open_root(&st, so, &e) == 0)
		writeout_run(st, &e);
	err_text(&e, &why);
	if (b->kind == BESIDE_BEAT)
		log_say(LOG_ERROR, "machines", "%s: this machine has lost its locks", why.buf);
	else
		warn(b, why.buf);
	exit(b->kind == BESIDE_BEAT ? LOST : 1);        /* not _exit: sanitizers and coverage report there */
}

void beside_tend(struct beside *b, const struct store_options *so, const struct machine *machine, unsigned generation,
		 void (*in_child)(void *arg), void *arg)
{
	bool wanted = is_wanted(b, so, machine);

	if (b->pid) {
		if (!wanted || b->generation != generation)
			beside_stop(b);
		return;
	}
	if (b->generation != generation)
		b->pause = b->not_before = 0;
	if (!wanted)
		b->not_before = 0;
	if (!wanted || time_now_usec() < b->not_before)
		return;
	b->begun = time_now_usec();
	b->told_to_end = b->lost = false;
	b->generation = generation;
	if (child_begin(&b->pid, kinds[b->kind].name, kinds[b->kind].start, in_child, arg))
		run(b, so, machine);
	if (!b->pid)
		b->not_before = b->begun + SECOND;
}

uint64_t beside_next(const struct beside *b)
{
	return b->pid ? 0 : b->not_before;
}

bool beside_reap(struct beside *b, pid_t pid, int status)
{
	uint64_t now = time_now_usec();

	if (!b->pid || pid != b->pid)
		return false;
	b->pid = 0;
	if (b->told_to_end)
		return true;
	if (WIFSIGNALED(status)) {
		cleanup_str struct str why = STR_INIT;

		str_addf(&why, "ended by signal %d and started again", WTERMSIG(status));
		warn(b, why.buf);
	}
	b->lost = WIFEXITED(status) && WEXITSTATUS(status) == LOST;
	b->pause = b->kind == BESIDE_BEAT || !b->pause || now - b->begun >= PAUSE_MAX ? SECOND : b->pause < PAUSE_MAX ? b->pause * 2 : b->pause;
	b->not_before = now + b->pause;
	return true;
}

void beside_stop(struct beside *b)
{
	if (b->pid && !b->told_to_end)
		kill(b->pid, SIGTERM);
	b->told_to_end = true;
}

void beside_end(struct beside *b)
{
	int status;

	beside_stop(b);
	while (b->pid && waitpid(b->pid, &status, 0) < 0 && errno == EINTR)
		;
	b->pid = 0;
}
