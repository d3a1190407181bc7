/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounds: who joins rests on work that began after the call, work is done once for all that wait, and no process that dies or
 * fails leaves the others without.
 */

#include "os/rounds.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define CHILDREN 12
#define EACH 300

static struct shared {
	struct rounds r;
	_Atomic unsigned long change;           /* what a caller does before it joins */
	_Atomic unsigned long covered;          /* all changes up to this one were there when a round that ended well began */
	_Atomic unsigned long works, wrong, inside;
	_Atomic bool hold;
} *s;

static int work(void *arg)
{
	unsigned long seen = atomic_load(&s->change);

	(void)arg;
	if (atomic_fetch_add(&s->inside, 1))
		atomic_fetch_add(&s->wrong, 1);         /* two at once */
	atomic_fetch_add(&s->works, 1);
	usleep(200);
	if (seen > atomic_load(&s->covered))
		atomic_store(&s->covered, seen);
	atomic_fetch_sub(&s->inside, 1);
	return 0;
}

static int fails(void *arg)
{
	(void)arg;
	errno = EIO;
	return -1;
}

static int dies(void *arg)
{
	(void)arg;
	raise(SIGKILL);
	return 0;
}

static int waits(void *arg)
{
	(void)arg;
	atomic_store(&s->hold, true);
	while (atomic_load(&s->hold))
		usleep(1000);
	return 0;
}

static pid_t child(int (*what)(void *arg))
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(rounds_join(&s->r, what, NULL) == 0 ? 0 : 1);
	return pid;
}

static void many(void)
{
	int status, bad = 0;

	for (int i = 0; i < CHILDREN; i++) {
		if (fork() > 0)
			continue;
		for (int n = 0; n < EACH; n++) {
			unsigned long mine = atomic_fetch_add(&s->change, 1) + 1;

			if (rounds_join(&s->r, work, NULL) < 0 || atomic_load(&s->covered) < mine)
				atomic_fetch_add(&s->wrong, 1);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	is_int(bad, 0, "all processes end");
	is_int((long)atomic_load(&s->wrong), 0, "nobody returns before a round that began after its change has ended");
	ok(atomic_load(&s->works) < (unsigned long)CHILDREN * EACH, "and most rounds served several");
}

int main(void)
{
	pid_t pid;
	int status;

	s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s == MAP_FAILED || !ok(rounds_init(&s->r) == 0, "there are rounds"))
		return done_testing();
	is_int(rounds_join(&s->r, work, NULL), 0, "one alone runs a round");
	is_int(rounds_join(&s->r, work, NULL), 0, "and again");
	is_int((long)atomic_load(&s->works), 2, "each time, since nothing began after the call");
	errno = 0;
	is_int(rounds_join(&s->r, fails, NULL), -1, "a round that fails");
	is_int(errno, EIO, "says why");
	is_int(rounds_join(&s->r, work, NULL), 0, "the next one is run again");

	pid = child(dies);
	waitpid(pid, &status, 0);
	ok(WIFSIGNALED(status), "a process dies in its round");
	is_int(rounds_join(&s->r, work, NULL), 0, "the others go on");

	/* A round is under way: what was changed after it began needs another one. */
	pid = child(waits);
	while (!atomic_load(&s->hold))
		usleep(1000);
	atomic_store(&s->works, 0);
	for (int i = 0; i < 3; i++)
		child(work);
	usleep(50 * 1000);
	atomic_store(&s->hold, false);
	for (int i = 0; i < 4; i++)
		wait(&status);
	ok(atomic_load(&s->works) >= 1, "who came during a round did not rest on it");
	many();
	return done_testing();
}
