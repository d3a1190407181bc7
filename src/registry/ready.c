/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ready: looking at the store, seldom, and telling it to everybody.
 *
 * Owns METRIC_READY: one word, so that what is told is always of one look. It holds when that look began (milliseconds
 * of the monotonic clock, and 1), whether it is still on, and the errno that it found. Who puts its own time there looks.
 */
#include "registry/ready.h"

#include <errno.h>
#include <string.h>

#include "base/metrics.h"
#include "base/time.h"
#include "store/probe.h"

#define ERRNO_BITS 16
#define LOOKING (UINT64_C(1) << ERRNO_BITS)
#define TIME_SHIFT (ERRNO_BITS + 1)
#define GIVEN_UP (6 * READY_PATIENCE)   /* whoever looked is dead, or will not come back: another one tries */

static uint64_t word_of(uint64_t ms, bool looking, int error)
{
	return (ms + 1) << TIME_SHIFT | (looking ? LOOKING : 0) | ((uint64_t)error & (LOOKING - 1));
}

/* The errno of the last look, 0 where it found nothing wrong. */
static int look(struct registry *r)
{
	uint64_t was = metrics_get(METRIC_READY), now = time_now_usec() / 1000, mine;
	uint64_t age = was ? now + 1 - (was >> TIME_SHIFT) : UINT64_MAX;
	int error = (int)(was & (LOOKING - 1));
	bool looking = was & LOOKING;

	if (age < (looking ? READY_PATIENCE : READY_KEPT))
		return error;
	if (looking && age < GIVEN_UP)
		return ETIMEDOUT;
	mine = word_of(now, true, error);
	if (!metrics_swap(METRIC_READY, was, mine))
		return error;           /* another one looks */
	error = r->cfg->readonly ? probe_read(r->st) : probe_write(r->st);
	metrics_swap(METRIC_READY, mine, word_of(now, false, error));
	return error;
}

static bool missing(enum metrics_pool pool)
{
	return metrics_get(METRIC_WORKERS_WANTED + (enum metric)pool) && !metrics_get(METRIC_WORKERS + (enum metric)pool);
}

bool ready_check(struct registry *r, struct str *reason)
{
	int error = look(r);

	str_reset(reason);
	if (error == ETIMEDOUT)
		str_puts(reason, "the store does not answer");
	else if (error)
		str_addf(reason, "the store cannot be %s: %s", r->cfg->readonly ? "read" : "written", strerror(error));
	else if (missing(POOL_WRITES))
		str_puts(reason, "no worker takes writes");
	else if (missing(POOL_UPLOADS))
		str_puts(reason, "no worker takes uploads");
	return reason->len == 0;
}
