/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fill: opening, closing and filling the fallback.
 *
 * Owns the process that fills. What a killed one has left out is 503 while no worker lives, and nothing worse.
 */
#include "fill.h"

#include <errno.h>

#include "base/log.h"
#include "errand.h"
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
	if (reg_fallback_fill_all(&reg, e) < 0)
		return -1;
	log_say(LOG_INFO, "fallback", "nginx can serve what is here by itself");
	return 0;
}

void fill_begin(pid_t *pid, const struct config *cfg, void (*in_child)(void *arg), void *arg)
{
	static const struct errand filling = { "cannot fill the fallback", "fallback", fill };

	if (!*pid && cfg->fallback)
		*pid = errand_begin(&filling, cfg, in_child, arg);
}
