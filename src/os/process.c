/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: signals.
 *
 * Owns no state.
 */
#include "os/process.h"

#include <signal.h>
#include <sys/prctl.h>

void os_signal(int sig, void (*action)(int))
{
	struct sigaction sa = { .sa_handler = action };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}

void os_keep_secrets(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}
