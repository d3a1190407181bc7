/* SPDX-License-Identifier: Apache-2.0 */
/* metrics: the place of each count in the table. */

#include "base/metrics.h"

#include "tap.h"

static uint64_t requests(unsigned route, unsigned method, int status)
{
	size_t i;

	for (i = 0; i < METRICS_STATUSES; i++)
		if (metrics_status(i) == status)
			return metrics_table()->requests[route][method][i];
	return UINT64_MAX;
}

static void test_table(void)
{
	metrics_request(&(struct metrics_request){ .route = 2, .method = 1, .status = 200, .usec = 100, .in = 7, .out = 9 });
	metrics_request(&(struct metrics_request){ .route = 2, .method = 1, .status = 299, .usec = 101 });
	metrics_request(&(struct metrics_request){ .route = 99, .method = 99, .status = -1, .usec = UINT64_MAX });
	is_int((intmax_t)requests(2, 1, 200), 1, "a request is counted by route, method and status");
	is_int((intmax_t)requests(2, 1, 0), 1, "an unknown status counts as \"any other\"");
	is_int((intmax_t)requests(METRICS_ROUTES - 1, METRICS_METHODS - 1, 0), 1, "numbers beyond the table count as its last");
	is_int((intmax_t)metrics_table()->in[2], 7, "bytes in");
	is_int((intmax_t)metrics_table()->out[2], 9, "bytes out");
	is_int((intmax_t)metrics_table()->took[2].bucket[0], 1, "a duration of a bound belongs below it");
	is_int((intmax_t)metrics_table()->took[2].bucket[1], 1, "one beyond it to the next bucket");
	is_int((intmax_t)metrics_table()->took[METRICS_ROUTES - 1].bucket[METRICS_BUCKETS], 1, "one beyond all to the last");
	metrics_waited(99, 3);
	is_int((intmax_t)metrics_table()->waited[METRICS_LOCKS - 1].usec, 3, "a wait for a lock is counted");
	metrics_set(METRIC_READY, 5);
	ok(!metrics_swap(METRIC_READY, 4, 6) && metrics_get(METRIC_READY) == 5, "a word that has changed is not swapped");
	ok(metrics_swap(METRIC_READY, 5, 6) && metrics_get(METRIC_READY) == 6, "one that has not is");
}

int main(void)
{
	test_table();
	return done_testing();
}
