/* SPDX-License-Identifier: Apache-2.0 */
/* prom: Prometheus' text format. */

#include "base/prom.h"

#include "tap.h"

static struct str out = STR_INIT, labels = STR_INIT;

static void test_samples(void)
{
	prom_family(&out, "a_total", PROM_COUNTER, "What it is.");
	is_str(out.buf, "# HELP a_total What it is.\n# TYPE a_total counter\n", "a family says what it is");
	str_reset(&out);
	prom_number(&out, "a_total", NULL, UINT64_MAX);
	is_str(out.buf, "a_total 18446744073709551615\n", "a sample without labels");
	str_reset(&out);
	prom_label(&labels, "one", "a\\b\"c\nd");
	prom_label(&labels, "two", "");
	prom_number(&out, "a_total", &labels, 0);
	is_str(out.buf, "a_total{one=\"a\\\\b\\\"c\\nd\",two=\"\"} 0\n", "values of labels are escaped");
	str_reset(&labels);
}

static void test_seconds(void)
{
	static const struct {
		uint64_t usec;
		const char *text;
	} cases[] = {
		{ 0, "s 0\n" }, { 1, "s 0.000001\n" }, { 100, "s 0.0001\n" }, { 1500000, "s 1.5\n" },
		{ 60000000, "s 60\n" }, { 1000010, "s 1.00001\n" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		str_reset(&out);
		prom_seconds(&out, "s", NULL, cases[i].usec);
		is_str(out.buf, cases[i].text, "%" PRIu64 " microseconds are seconds with as many digits as needed", cases[i].usec);
	}
}

static void test_histogram(void)
{
	static const uint64_t bounds[] = { 1000, 500000 }, counts[] = { 3, 0, 2 };

	str_reset(&out);
	prom_label(&labels, "route", "blob");
	prom_histogram(&out, "h", &labels, bounds, counts, 2, 7250000);
	is_str(out.buf,
	       "h_bucket{route=\"blob\",le=\"0.001\"} 3\nh_bucket{route=\"blob\",le=\"0.5\"} 3\n"
	       "h_bucket{route=\"blob\",le=\"+Inf\"} 5\nh_sum{route=\"blob\"} 7.25\nh_count{route=\"blob\"} 5\n",
	       "buckets add up, and the last is all of them");
	str_reset(&labels);
}

int main(void)
{
	test_samples();
	test_seconds();
	test_histogram();
	str_release(&out);
	str_release(&labels);
	return done_testing();
}
