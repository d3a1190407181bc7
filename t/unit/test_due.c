/* SPDX-License-Identifier: Apache-2.0 */
/* When the master tries again what found a collection running: an eviction, and a look for abandoned uploads. */

#include "master/evictor.h"
#include "master/schedule.h"

#include "base/metrics.h"
#include "base/time.h"
#include "master/child.h"
#include "tap.h"

#define SECOND UINT64_C(1000000)
#define PID 1000000000          /* nobody's */
#define STATUS(code) ((code) << 8)

static struct config cfg;

/* How long it waits then, in seconds. */
static uint64_t eviction_ends(struct evictor *v, int code)
{
	uint64_t before = time_now_usec();

	v->pid = PID;
	ok(evictor_reap(v, &cfg, PID, STATUS(code)), "an eviction ends with status %d", code);
	ok(v->due == 0 || v->due >= v->not_before, "and none comes before its time");
	return (v->not_before - before) / SECOND;
}

static void evictions(void)
{
	struct evictor v = { .due = 1, .max = 1000 };
	uint64_t last = 0, wait = 0;
	int i;

	ok(eviction_ends(&v, CHILD_BUSY) < 30, "beside a collection the next try comes soon");
	for (i = 0; i < 20; i++) {
		wait = eviction_ends(&v, CHILD_BUSY);
		ok(wait >= last || wait >= 30, "then no sooner");
		last = wait;
	}
	ok(wait >= 30 && wait < 60, "and at last each half a minute");
	eviction_ends(&v, 0);
	ok(eviction_ends(&v, CHILD_BUSY) < 30, "after one that did its work soon again");
}

static void uploads(void)
{
	struct schedule s = { .pid = PID, .uploads = true, .uploads_due = 1, .begun = 1000 * SECOND };

	cfg.gc_uploads_every = 24 * 3600;
	ok(schedule_reap(&s, &cfg, PID, STATUS(CHILD_BUSY)), "a look for uploads ends");
	ok(s.uploads_due == 1060 * SECOND, "beside a collection: another comes after a minute");
	s.pid = PID;
	ok(schedule_reap(&s, &cfg, PID, STATUS(0)), "it ends");
	ok(s.uploads_due == (1000 + 24 * 3600) * SECOND, "when it has looked, a day later");
	s.pid = PID;
	cfg.gc_uploads_every = 5;
	ok(schedule_reap(&s, &cfg, PID, STATUS(CHILD_BUSY)), "it ends");
	ok(s.uploads_due == 1005 * SECOND, "but no later than it would come anyway");
}

int main(void)
{
	ok(metrics_share() == 0, "there are metrics");
	evictions();
	uploads();
	return done_testing();
}
