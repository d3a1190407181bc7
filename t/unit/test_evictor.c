/* SPDX-License-Identifier: Apache-2.0 */
/* When an eviction is due: after a start, a pause later, and after a reload that came while one was running. */

#include "master/evictor.h"

#include "base/time.h"
#include "tap.h"

#define ENDED(status) ((status) << 8)   /* as waitpid() says it */
#define BUSY 3

static bool due_now(const struct evictor *v)
{
	uint64_t next = evictor_next(v);

	return next && next <= time_now_usec();
}

int main(void)
{
	static struct config cfg = { .nupstreams = 1, .cache = { .idle = 36000 } };
	struct evictor v = { .pid = 0 };

	evictor_set(&v, &cfg);
	ok(due_now(&v), "after a start one is due");
	ok(v.fresh, "the first one with this configuration");
	v.fresh = false;        /* as evictor_tend() does when it begins one */
	v.pid = 4711;
	is_int((long)evictor_next(&v), 0, "not while it runs");
	ok(!evictor_reap(&v, &cfg, 4712, ENDED(0)), "another process has ended");
	ok(evictor_reap(&v, &cfg, 4711, ENDED(0)) && v.pid == 0, "it has ended");
	ok(!due_now(&v) && evictor_next(&v), "the next one is due later");

	v.pid = 4713;
	evictor_set(&v, &cfg);
	ok(evictor_reap(&v, &cfg, 4713, ENDED(0)), "one ends that began before a reload");
	ok(due_now(&v) && v.fresh, "the next one is due at once");
	v.pid = 4714;
	ok(evictor_reap(&v, &cfg, 4714, ENDED(BUSY)) && due_now(&v), "the same if it could not begin");

	v.pid = 4715;
	cfg.readonly = true;
	evictor_set(&v, &cfg);
	ok(evictor_reap(&v, &cfg, 4715, ENDED(0)), "one ends after a reload without upstreams");
	is_int((long)evictor_next(&v), 0, "then none is due");
	return done_testing();
}
