/* SPDX-License-Identifier: Apache-2.0 */
/*
 * errand: one more process of the master's, for one piece of work.
 *
 * Owns nothing: whoever begins one waits for it.
 */
#include "master/errand.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "os/process.h"

/* In the child: never returns. */
static _Noreturn void run(const struct errand *what, const struct config *cfg)
{
	cleanup_err struct err e = ERR_INIT;
	struct log_event ev;

	if (what->run(cfg, &e) == 0)
		exit(0);        /* not _exit: sanitizers and coverage report there */
	log_begin(&ev, LOG_ERROR, what->failed);
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

pid_t errand_begin(const struct errand *what, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	pid_t pid = os_fork(SIGTERM);

	if (pid < 0) {
		log_say(LOG_ERROR, "fork", "%s: %s", what->cannot, strerror(errno));
		return 0;
	}
	if (pid == 0) {
		in_child(arg);
		run(what, cfg);
	}
	return pid;
}
