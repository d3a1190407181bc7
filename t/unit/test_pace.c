/* SPDX-License-Identifier: Apache-2.0 */
/* pace: waits grow and end, a refusal is tracked down to its event, a receiver that asks for time gets it. */

#include "relay/pace.h"

#include "tap.h"

static const struct config_endpoint cf = { .backoff = 1, .backoff_max = 600, .give_up = 3600 };

static enum pace_next answer(struct pace *p, size_t sent, int status, uint64_t retry_after, uint64_t *wait)
{
	const struct pace_answer a = { .status = status, .retry_after = retry_after, .sent = sent };

	return pace_next(p, &cf, &a, UINT32_MAX, wait);
}

static void test_wait(void)
{
	const struct config_endpoint odd = { .backoff = 30, .backoff_max = 10 }, none = { 0 };
	bool within = true;

	for (uint64_t n = 1; n <= 10; n++)
		for (uint32_t random = 0; random < 5000; random += 7) {
			uint64_t whole = UINT64_C(1000) << (n - 1), wait = pace_wait(&cf, n, random);

			within &= wait >= whole / 2 && wait <= whole;
		}
	ok(within, "the n-th wait is between a half and the whole of backoff times 2 to the n-1");
	ok(pace_wait(&cf, 1, 0) != pace_wait(&cf, 1, 400), "by chance");
	ok(pace_wait(&cf, 11, 0) == 300000 && pace_wait(&cf, UINT64_MAX, 300000) == 600000, "but never more than backoff_max, whatever has failed before");
	ok(pace_wait(&odd, 3, 5000) == 10000, "which counts if it is less than backoff");
	ok(pace_wait(&none, 1, 0) == 50, "and never nothing");
}

static void test_failures(void)
{
	static const int again[] = { 0, 100, 302, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504 };
	struct pace p = PACE_INIT;
	uint64_t wait, before = 0;

	for (size_t i = 0; i < sizeof(again) / sizeof(*again); i++) {
		ok(answer(&p, 100, again[i], 0, &wait) == PACE_AGAIN && wait >= before && p.limit == 100 && p.in_row == i + 1,
		   "after %d all of it is sent again, later", again[i]);
		before = wait / 2;
	}
	ok(answer(&p, 100, 204, 0, &wait) == PACE_DELIVERED && wait == 0 && p.in_row == 0, "2xx is delivered");
	answer(&p, 100, 500, 0, &wait);
	ok(wait <= 1000, "and the next failure begins with a short wait");
	ok(answer(&p, 100, 429, 17, &wait) == PACE_AGAIN && wait == 17000, "Retry-After is obeyed with 429");
	ok(answer(&p, 100, 503, 1, &wait) == PACE_AGAIN && wait == 1000, "and with 503, also if it is short");
	ok(answer(&p, 100, 503, 86400, &wait) == PACE_AGAIN && wait == 600000, "up to backoff_max");
	ok(answer(&p, 100, 500, 86400, &wait) == PACE_AGAIN && wait < 600000, "and with nothing else");
}

/* A receiver that refuses every body with this event. Returns the number of requests until all of the batch is settled. */
static unsigned track(size_t events, size_t bad, size_t *dead, size_t *lost)
{
	struct pace p = PACE_INIT;
	size_t at = 0;
	unsigned requests = 0;

	*dead = *lost = 0;
	while (at < events && requests < 1000) {
		size_t n = events - at < p.limit ? events - at : p.limit;
		bool refused = bad >= at && bad < at + n;
		uint64_t wait;

		requests++;
		switch (answer(&p, n, refused ? 422 : 200, 0, &wait)) {
		case PACE_DELIVERED:
			at += n;
			break;
		case PACE_DEAD:
			*dead += 1;
			*lost += n != 1 || at != bad;
			at++;
			break;
		case PACE_AGAIN:
			break;
		}
	}
	return requests;
}

static void test_refusals(void)
{
	struct pace p = PACE_INIT;
	uint64_t wait;

	for (size_t bad = 0; bad < 100; bad += 33) {
		size_t dead, lost;
		unsigned requests = track(100, bad, &dead, &lost);

		ok(dead == 1 && lost == 0 && requests < 60, "of 100 events the %zu-th is found to be refused, and no other, in %u requests", bad, requests);
	}
	ok(answer(&p, 1, 400, 0, &wait) == PACE_AGAIN && wait, "a single event that is refused is tried again, later");
	ok(answer(&p, 1, 500, 0, &wait) == PACE_AGAIN && answer(&p, 1, 413, 0, &wait) == PACE_AGAIN, "a failure in between is no refusal");
	ok(answer(&p, 1, 422, 0, &wait) == PACE_DEAD && wait == 0, "after three refusals it is dead, and the next one is due at once");
	ok(answer(&p, 1, 400, 0, &wait) == PACE_AGAIN && wait <= 1000, "and begins anew");
	p = (struct pace)PACE_INIT;
	ok(answer(&p, 64, 413, 0, &wait) == PACE_AGAIN && wait == 0 && p.limit == 32, "a body that is too large is halved at once");
	for (int i = 0; i < 5; i++)
		answer(&p, p.limit, 200, 0, &wait);
	ok(p.limit > 32 && p.limit <= 100, "and grows again with success");
	for (int i = 0; i < 100; i++)
		answer(&p, p.limit, 200, 0, &wait);
	is_int(p.limit, 100, "up to the limit of a request");
	ok(answer(&p, 50, 415, 0, &wait) == PACE_AGAIN && wait == 0 && p.limit == 1, "a receiver that does not know bodies of several events gets one");
	answer(&p, 1, 200, 0, &wait);
	is_int(p.limit, 1, "from then on");
	ok(answer(&p, 1, 415, 0, &wait) == PACE_AGAIN && wait && p.refusals == 0, "415 for one is a failure like any other");
}

static void test_give_up(void)
{
	struct pace p = PACE_INIT;
	uint64_t wait;

	ok(!pace_gives_up(&p, &cf, 1000, 100000), "what is old is not given up while all is well: it is replayed, or the relay was not running");
	answer(&p, 1, 500, 0, &wait);
	ok(pace_gives_up(&p, &cf, 1000, 1000 + 3601) && !pace_gives_up(&p, &cf, 1000, 1000 + 3600), "but when the receiver fails, after give_up");
	ok(!pace_gives_up(&p, &cf, 0, 100000) && !pace_gives_up(&p, &cf, 5000, 1000), "and not without a time, or with one that is yet to come");
}

int main(void)
{
	test_wait();
	test_failures();
	test_refusals();
	test_give_up();
	return done_testing();
}
