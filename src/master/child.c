/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child: forking.
 *
 * Owns nothing. Knows no process by its work.
 */
#include "master/child.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/log.h"
#include "os/process.h"

bool child_begin(pid_t *pid, const char *name, const char *what, void (*in_child)(void *arg), void *arg)
{
	pid_t made = os_fork(SIGTERM);

	if (made == 0) {
		os_name_process(name);
		in_child(arg);
		return true;
	}
	if (made < 0)
		log_say(LOG_ERROR, "fork", "cannot %s: %s", what, strerror(errno));
	*pid = made > 0 ? made : 0;
	return false;
}
