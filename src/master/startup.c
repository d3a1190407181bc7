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
#include "os/fs.h"
#include "store/collector.h"
#include "store/durable.h"
#include "store/journal.h"
#include "store/layout.h"
#include "store/pulled.h"

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

/* What an answer is worth, and how much flushing it costs on this file system. */
static void say_promise(const struct store *st, const struct store_options *so)
{
	if (!so->flush)
		log_say(LOG_WARN, "fsync", "off: a power cut may take the last seconds of pushes and deletes");
	else if (fs_lacks_journal(st->dirfd))
		log_say(LOG_WARN, "fsync", "the file system of %s has no journal: a power cut may damage it, and take what was acknowledged",
			so->root);
	else if (!so->image)
		log_say(LOG_INFO, "fsync", "full: each acknowledged blob, manifest and tag survives a power cut");
	else if (!st->image)
		log_say(LOG_INFO, "fsync", "image acts as full: other machines may serve %s", so->root);
	else
		log_say(LOG_INFO, "fsync",
			"image: an acknowledged manifest or tag survives a power cut with all that it names, a blob as soon as one names it; %s",
			st->ordered ? "one flush does it" : "directories are flushed one by one: the file system may not keep the order of changes");
}

void startup_pause(const struct store_options *so)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err ignored = ERR_INIT;

	if (store_open_root(&st, so, &ignored) == 0)
		pulled_pause(st);
}

/* No failure here prevents the start. */
void startup_tidy(const struct store_options *so)
{
	cleanup_store struct store *st = NULL;
	cleanup_err struct err e = ERR_INIT;

	/* Before the first process is forked. */
	if (metrics_share() < 0 || (!so->readonly && durable_share() < 0))
		log_say(LOG_WARN, "memory", "no memory that workers could share: %s", strerror(errno));
	if (store_open(&st, so, &e) < 0) {
		log_say(LOG_WARN, "collector", "%s", e.cause);
		return;
	}
	layout_warn_if_open(st, so->root);
	if (!so->readonly)
		say_promise(st, so);
	adopt_last(st);
	if (so->readonly) {
		pulled_pause(st);
		return;
	}
	tidy(st);
	if (journal_tend(st, &e) < 0)
		log_say(LOG_WARN, "journal", "%s", e.cause);
}

int startup_join(const struct config *cfg, const struct store_options *so, struct serving *serving, struct err *e)
{
	if (epoch_begin(so, serving, e) < 0)
		return -1;
	if (!so->readonly)
		settings_compare(cfg, !serving->began);
	return 0;
}
