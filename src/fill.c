/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill: opening, closing and filling the fallback.
 *
 * Owns the process that fills. What a killed one has left out is 503 while no worker lives, and nothing worse.
 */
#include "fill.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "registry/reg_fallback.h"
#include "store/fallback.h"

int fill_set(const struct config *cfg, struct err *e)
{
	struct store_options so = { .root = cfg->root, .flush = cfg->fsync, .readonly = cfg->readonly };

	struct err why = ERR_INIT;

	if (cfg->fallback)
		return fallback_open(&so, e);
	if (fallback_close(&so, &why) == 0)
		return 0;
	/* What is open to everybody, and can't change, may be served. */
	if (why.sys == EROFS && !cfg->auth.on) {
		err_release(&why);
		return 0;
	}
	*e = why;
	return -1;
}

static int fill(const struct config *cfg, struct err *e)
{
	cleanup_store struct store *st = NULL;
	struct store_options so = { .root = cfg->root, .flush = cfg->fsync };
	struct registry reg = { .cfg = cfg };

	if (store_open(&st, &so, e) < 0)
		return -1;
	reg.st = st;
	return reg_fallback_fill_all(&reg, e);
}

/* In the child: never returns. */
static _Noreturn void child(const struct config *cfg, pid_t master)
{
	cleanup_err struct err e = ERR_INIT;
	struct log_event ev;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != master)
		_exit(0);
	if (fill(cfg, &e) == 0) {
		log_say(LOG_INFO, "fallback", "nginx can serve what is here by itself");
		exit(0);
	}
	log_begin(&ev, LOG_ERROR, "fallback");
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

void fill_begin(pid_t *pid, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	pid_t master = getpid();

	if (*pid || !cfg->fallback)
		return;
	*pid = fork();
	if (*pid < 0) {
		log_say(LOG_ERROR, "fork", "cannot fill the fallback: %s", strerror(errno));
		*pid = 0;
	} else if (*pid == 0) {
		in_child(arg);
		child(cfg, master);
	}
}
