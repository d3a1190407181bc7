/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: signals.
 *
 * Owns no state.
 */
#include "os/process.h"

#include <signal.h>

void os_signal(int sig, void (*action)(int))
{
	struct sigaction sa = { .sa_handler = action };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
}
