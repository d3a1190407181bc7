/* SPDX-License-Identifier: Apache-2.0 */
/*
 * recount: beginning and ending that process.
 *
 * Owns it. Knows nothing of tables.
 */
#include "master/recount.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "care/quotas.h"
#include "conf/rules.h"
#include "master/child.h"
#include "registry/registry.h"

void recount_set(struct recount *c, const struct config *cfg)
{
	c->due = !cfg->readonly && rules_any(cfg, RULE_QUOTA);
}

/* In the new process: does not return. */
static _Noreturn void run(const struct config *cfg)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;
	struct store_options so = registry_store(cfg);
	struct registry reg = { .cfg = cfg };
	struct log_event ev;

	so.serving = true;
	if (store_open(&st, &so, &e) == 0) {
		reg.st = st;
		if (quotas_prepare(&reg, &e) == 0) {
			store_close(&st);
			exit(0);        /* not _exit: sanitizers and coverage report there */
		}
	}
	log_begin(&ev, LOG_WARN, "quota");
	log_err(&ev, &e);
	log_end(&ev);
	exit(1);
}

void recount_tend(struct recount *c, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	if (!c->due || c->pid)
		return;
	c->due = false;
	if (child_begin(&c->pid, "berth-recount", "count what quotas count", in_child, arg))
		run(cfg);
}

bool recount_reap(struct recount *c, pid_t pid)
{
	if (!c->pid || pid != c->pid)
		return false;
	c->pid = 0;
	return true;
}

void recount_stop(struct recount *c)
{
	c->due = false;
	if (c->pid)
		kill(c->pid, SIGTERM);
}
