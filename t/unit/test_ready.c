/* SPDX-License-Identifier: Apache-2.0 */
/* ready: how often the store is looked at, and what is told meanwhile. */

#include "registry/ready.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/metrics.h"
#include "base/time.h"
#include "os/tree.h"
#include "os/file.h"
#include "store/layout.h"
#include "tap.h"

static char dir[] = "/tmp/berth-ready.XXXXXX", tmp[sizeof(dir) + 16], away[sizeof(dir) + 16];
static struct str reason = STR_INIT;
static const char missing[] = "the store cannot be written: No such file or directory";

static void sleep_ms(unsigned ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&ts, NULL);
}

static bool asks(struct registry *r)
{
	return ready_check(r, &reason);
}

static void test_kept(struct registry *r)
{
	uint64_t begun = time_now_usec();
	bool good = true;

	ok(asks(r) && reason.len == 0, "a store that can be written is ready");
	if (rename(tmp, away) < 0)
		exit(99);
	for (int i = 0; i < 1000; i++)
		good &= asks(r);
	/* On a machine that stood still meanwhile nothing is shown by it. */
	ok(good || time_now_usec() - begun > READY_KEPT * 1000, "asked a thousand times at once, it is looked at once");
	sleep_ms(READY_KEPT + 50);
	ok(!asks(r), "after a second it is looked at again");
	is_str(reason.buf, missing, "and what is wrong is said");
	if (rename(away, tmp) < 0)
		exit(99);
	sleep_ms(READY_KEPT + 50);
	ok(asks(r), "and again when it is put right");
}

/* As another process has left it that began to look so many milliseconds ago, and has not come back. */
static void looking_since(uint64_t ms)
{
	metrics_set(METRIC_READY, (time_now_usec() / 1000 - ms + 1) << 17 | 1 << 16);
}

static void test_stuck(struct registry *r)
{
	looking_since(READY_KEPT + 1000);
	ok(asks(r), "while somebody looks, what was found before is told");
	looking_since(READY_PATIENCE + 1000);
	ok(!asks(r), "but not for ever");
	is_str(reason.buf, "the store does not answer", "a look that does not come back is said");
	looking_since(10 * READY_PATIENCE);
	ok(asks(r), "and when whoever looked is given up somebody else looks");
}

static void test_pools(struct registry *r)
{
	static const struct {
		enum metrics_pool pool;
		const char *reason;
	} others[] = { { POOL_WRITES, "no worker accepts writes" }, { POOL_UPLOADS, "no worker accepts uploads" } };

	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		enum metric pool = (enum metric)others[i].pool;

		metrics_set(METRIC_WORKERS_WANTED + pool, 2);
		ok(!asks(r), "without a worker of this kind it is not ready");
		is_str(reason.buf, others[i].reason, "which is said");
		metrics_set(METRIC_WORKERS + pool, 1);
		ok(asks(r), "with one it is");
		metrics_set(METRIC_WORKERS_WANTED + pool, 0);
		metrics_set(METRIC_WORKERS + pool, 0);
		ok(asks(r), "and where there is no such pool");
	}
}

int main(void)
{
	struct store_options o = { .root = dir };
	struct config cfg = { .readonly = false };
	struct registry r = { .cfg = &cfg };
	struct err e = ERR_INIT;

	if (!mkdtemp(dir) || layout_prepare(&o, &e) < 0 || store_open(&r.st, &o, &e) < 0)
		return 99;
	snprintf(tmp, sizeof(tmp), "%s/berth/tmp", dir);
	snprintf(away, sizeof(away), "%s/berth/away", dir);
	test_kept(&r);
	test_stuck(&r);
	test_pools(&r);
	store_close(&r.st);
	str_release(&reason);
	os_remove_tree(AT_FDCWD, dir);
	return done_testing();
}
