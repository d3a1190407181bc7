/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: signals, and children that do not stay behind.
 *
 * Owns no state.
 */
#include "os/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

void os_signal(int sig, void (*action)(int))
{
	struct sigaction sa = { .sa_handler = action };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

pid_t os_fork(int at_end)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, at_end);
		if (getppid() != parent)
			_exit(0);
	}
	return pid;
}

void os_keep_secrets(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}
