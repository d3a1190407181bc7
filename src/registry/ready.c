/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready: rare probes of the store, whose result all workers share.
 *
 * Owns METRIC_READY. It is one word, so that a reader never mixes two probes: the time at which the probe began
 * (milliseconds of the monotonic clock, plus 1), whether it is still running, and the errno that it returned. The worker
 * that swaps its own start time into the word is the one that probes.
 */
#include "registry/ready.h"

#include <errno.h>
#include <string.h>

#include "base/metrics.h"
#include "base/time.h"
#include "registry/denied.h"
#include "store/probe.h"

#define ERRNO_BITS 16
#define PROBING (UINT64_C(1) << ERRNO_BITS)
#define TIME_SHIFT (ERRNO_BITS + 1)
#define GIVEN_UP (6 * READY_PATIENCE)   /* the probing worker is dead or stuck: another one probes */

static uint64_t word_of(uint64_t ms, bool probing, int error)
{
	return (ms + 1) << TIME_SHIFT | (probing ? PROBING : 0) | ((uint64_t)error & (PROBING - 1));
}

/* The errno of the last probe, 0 if it succeeded. */
static int probe(struct registry *r)
{
	uint64_t was = metrics_get(METRIC_READY), now = time_now_usec() / 1000, mine;
	uint64_t age = was ? now + 1 - (was >> TIME_SHIFT) : UINT64_MAX;
	int error = (int)(was & (PROBING - 1));
	bool probing = was & PROBING;

	if (age < (probing ? READY_PATIENCE : READY_KEPT))
		return error;
	if (probing && age < GIVEN_UP)
		return ETIMEDOUT;
	mine = word_of(now, true, error);
	if (!metrics_swap(METRIC_READY, was, mine))
		return error;           /* another worker probes */
	error = r->cfg->readonly ? probe_read(r->st) : probe_write(r->st);
	denied_check(r);
	metrics_swap(METRIC_READY, mine, word_of(now, false, error));
	return error;
}

static bool missing(enum metrics_pool pool)
{
	return metrics_get(METRIC_WORKERS_WANTED + (enum metric)pool) && !metrics_get(METRIC_WORKERS + (enum metric)pool);
}

bool ready_check(struct registry *r, struct str *reason)
{
	int error = probe(r);

	str_reset(reason);
	if (error == ETIMEDOUT)
		str_puts(reason, "the store does not answer");
	else if (error)
		str_addf(reason, "the store cannot be %s: %s", r->cfg->readonly ? "read" : "written", strerror(error));
	else if (denied_last() == EXDEV)
		str_puts(reason, "part of the store is on another file system: see the log");
	else if (denied_last())
		str_addf(reason, "part of the store cannot be %s: see the log", r->cfg->readonly ? "read" : "written");
	else if (missing(POOL_WRITES))
		str_puts(reason, "no worker accepts writes");
	else if (missing(POOL_UPLOADS))
		str_puts(reason, "no worker accepts uploads");
	return reason->len == 0;
}
