/* SPDX-License-Identifier: Apache-2.0 */
/*
 * startup: the store, before the first worker is there.
 *
 * Owns no state.
 */
#include "master/startup.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"
#include "care/gc_last.h"
#include "master/settings.h"
#include "store/collector.h"
#include "store/layout.h"

/* Remove what a killed collector left, and make the reserve that the next one gives up. */
static void tidy(struct store *st)
{
	cleanup_err struct err e = ERR_INIT;

	if (collector_tidy(st, &e) < 0)
		log_say(LOG_WARN, "collector", "%s", e.cause);
	else
		collector_reserve(st);
}

static void adopt_last(struct store *st)
{
	cleanup_err struct err e = ERR_INIT;
	struct gc_last last;

	if (gc_last_adopt(st, false, &last, &e) < 0)
		log_say(LOG_WARN, "metrics", "%s", e.cause);
}

/* No failure here prevents the start. */
void startup_tidy(const struct store_options *so)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;

	if (metrics_share() < 0)        /* before the first process is forked */
		log_say(LOG_WARN, "metrics", "no memory that workers could share: %s", strerror(errno));
	if (store_open(&st, so, &e) < 0) {
		log_say(LOG_WARN, "collector", "%s", e.cause);
		return;
	}
	layout_warn_if_open(st, so->root);
	adopt_last(st);
	if (!so->readonly)
		tidy(st);
}

int startup_join(const struct config *cfg, const struct store_options *so, struct serving *serving, struct err *e)
{
	if (epoch_begin(so, serving, e) < 0)
		return -1;
	if (!so->readonly)
		settings_compare(cfg, !serving->began);
	return 0;
}
