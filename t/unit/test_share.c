/* SPDX-License-Identifier: Apache-2.0 */
/* share: every task is done once, what helpers find comes back, and a helper that fails or dies is an error. */

#include "care/share.h"

#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "tap.h"

#define TASKS 50

struct work {
	_Atomic int *done;              /* shared: how often each task was done, and behind them, how often the caller watched */
	struct str *out;                /* of a helper */
	size_t fails, dies;             /* tasks that do so in a helper */
	int records, seen[TASKS], finished;
	bool watched;                   /* no task ends before the caller has watched */
};

static void begin(void *arg, struct str *out)
{
	((struct work *)arg)->out = out;
}

static int task(void *arg, size_t i, struct err *e)
{
	struct work *w = arg;

	atomic_fetch_add(&w->done[i], 1);
	if (!w->out) {
		w->seen[i]++;
		return 0;
	}
	while (w->watched && !atomic_load(&w->done[TASKS]))
		usleep(1000);
	share_record(w->out, 'i', &i, sizeof(i));
	if (i == w->dies)
		raise(SIGKILL);
	return i == w->fails ? err_set(e, ERR_DENIED, "task %zu", i) : 0;
}

static int finish(void *arg, struct str *out, struct err *e)
{
	(void)e;
	((struct work *)arg)->finished++;
	if (out)
		share_record(out, 'f', "", 0);
	return 0;
}

static int accept_one(void *arg, char type, const char *data, size_t len, struct err *e)
{
	struct work *w = arg;
	size_t i;

	w->records++;
	if (type == 'f')
		return 0;
	if (type != 'i' || len != sizeof(i))
		return share_malformed(e);
	memcpy(&i, data, len);
	w->seen[i]++;
	return 0;
}

static void tick(void *arg, size_t begun)
{
	struct work *w = arg;

	atomic_fetch_add(&w->done[TASKS], begun <= TASKS);
}

static int wrong(const struct work *w)
{
	int count = 0;

	for (size_t i = 0; i < TASKS; i++)
		count += w->seen[i] != 1 || w->done[i] != 1;
	return count;
}

static int run(struct work *w, struct share_job job, unsigned processes, struct err *e)
{
	memset(w->done, 0, (TASKS + 1) * sizeof(*w->done));
	job.tasks = TASKS;
	job.task = task;
	job.begin = begin;
	job.accept = accept_one;
	job.arg = w;
	return share_run(&job, processes, e);
}

int main(void)
{
	cleanup_err struct err e = ERR_INIT;
	_Atomic int *done = share_memory((TASKS + 1) * sizeof(*done), &e);
	const struct work fresh = { .done = done, .fails = TASKS, .dies = TASKS };
	struct work w = fresh;
	size_t last;

	ok(share_processors() >= 1, "there is a processor");
	ok(run(&w, (struct share_job){ .finish = finish }, 1, &e) == 0 && wrong(&w) == 0 && w.records == 0 && w.finished == 0, "one process");
	w = fresh;
	ok(run(&w, (struct share_job){ .finish = finish }, 4, &e) == 0 && wrong(&w) == 0 && w.finished == 1 && w.records >= 3,
	   "four: each task is done once, and each helper reports");
	w = fresh;
	w.watched = true;
	ok(run(&w, (struct share_job){ .helpers_alone = true, .tick = tick }, 2, &e) == 0 && wrong(&w) == 0 && w.records == TASKS && done[TASKS] > 0,
	   "helpers alone, while this process watches");
	w = fresh;
	w.fails = 20;
	is_int(run(&w, (struct share_job){ .helpers_alone = true }, 2, &e), -1, "a task fails");
	is_str(e.detail, "task 20", "and its error comes back");
	ok(w.seen[20] <= 1, "once");
	err_release(&e);
	w = fresh;
	w.dies = 20;
	is_int(run(&w, (struct share_job){ .helpers_alone = true, .tick = tick }, 2, &e), -1, "a helper dies");
	is_str(e.detail, "a helper process ended before its work was done", "and that is an error");
	for (last = TASKS; last && w.seen[last - 1] == 0; last--)
		;
	ok(last > 0, "what was reported before was accepted");
	share_memory_free(done, (TASKS + 1) * sizeof(*done));
	return done_testing();
}
