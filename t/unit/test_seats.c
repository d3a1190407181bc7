/* SPDX-License-Identifier: Apache-2.0 */
/* seats: never more than there are, and none is lost when a process dies. */

#include "os/seats.h"

#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

/* The seat of a process that has died. */
static pid_t dies_with_one(struct seats *s, int *seat)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(seats_take(s, 3) + 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		_exit(99);
	*seat = WEXITSTATUS(status) - 1;
	return pid;
}

int main(void)
{
	struct seats *s = seats_open();
	int theirs;
	pid_t pid;

	if (!ok(s != NULL, "there are seats"))
		return done_testing();
	is_int(seats_take(s, 0), -1, "without seats none can be occupied");
	is_int(seats_take(s, 2), 0, "one");
	is_int(seats_take(s, 2), 1, "and another");
	is_int(seats_take(s, 2), -1, "and no more");
	seats_leave(s, 0);
	is_int(seats_take(s, 2), 0, "one that was left is free");
	pid = dies_with_one(s, &theirs);
	is_int(theirs, 2, "a process that was forked has one of the same");
	is_int(seats_take(s, 3), -1, "which is still occupied when it dies");
	seats_free(s, pid);
	is_int(seats_take(s, 3), 2, "until its parent frees it");
	seats_free(s, pid);
	is_int(seats_take(s, 3), -1, "and no others");
	seats_free(NULL, pid);
	seats_close(&s);
	ok(s == NULL, "then they go");
	return done_testing();
}
