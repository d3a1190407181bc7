/* SPDX-License-Identifier: Apache-2.0 */
/* time: RFC 3339, and durations. */

#include <stdlib.h>
#include "base/mem.h"
#include "base/time.h"
#include "tap.h"

static void test_format(void)
{
	struct timespec ts = { .tv_sec = 1767323045, .tv_nsec = 678999999 };
	char buf[TIME_RFC3339_MAX];

	time_rfc3339(buf, &ts, 0);
	is_str(buf, "2026-01-02T03:04:05Z", "an instant is text in UTC");
	time_rfc3339(buf, &ts, 1);
	is_str(buf, "2026-01-02T03:04:05.678Z", "with milliseconds, cut and not rounded");
	ts.tv_nsec = 1000000;
	time_rfc3339(buf, &ts, 1);
	is_str(buf, "2026-01-02T03:04:05.001Z", "milliseconds have three digits");
	ts.tv_nsec = 999999999;
	time_rfc3339(buf, &ts, 1);
	is_str(buf, "2026-01-02T03:04:05.999Z", "another instant of the same second has its own milliseconds");
	ts = (struct timespec){ .tv_sec = ts.tv_sec + 1 };
	time_rfc3339(buf, &ts, 1);
	is_str(buf, "2026-01-02T03:04:06.000Z", "the next second is told at once");
	ts.tv_sec = 0;
	time_rfc3339(buf, &ts, 0);
	is_str(buf, "1970-01-01T00:00:00Z", "the epoch is 1970");
	ts.tv_sec = -1;
	time_rfc3339(buf, &ts, 0);
	is_str(buf, "1969-12-31T23:59:59Z", "there was a time before it");
	ts.tv_sec = (time_t)1 << 55;
	time_rfc3339(buf, &ts, 1);
	ok(strlen(buf) < sizeof(buf), "an absurd instant stays within the buffer");
	ts.tv_sec = (time_t)(INT64_MAX);
	time_rfc3339(buf, &ts, 1);
	is_str(buf, "", "one that has no year is nothing");
	time_rfc3339(buf, &ts, 0);
	is_str(buf, "", "asked for again, too");
	ts = (struct timespec){ 0 };
	time_rfc3339(buf, &ts, 0);
	is_str(buf, "1970-01-01T00:00:00Z", "and does not stick");
}

static void test_zone(void)
{
	struct timespec ts = { .tv_sec = 1782961445 };
	char buf[TIME_RFC3339_MAX];

	setenv("TZ", "America/New_York", 1);
	tzset();
	time_rfc3339(buf, &ts, 0);
	is_str(buf, "2026-07-02T03:04:05Z", "the time zone of the process has no effect");
}

static void test_read(void)
{
	static const char *const bad[] = { "", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05+01:00", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05Zx" };
	int64_t seconds;

	ok(time_parse_rfc3339("2026-01-02T03:04:05Z", &seconds) == 0 && seconds == 1767323045, "an instant is read");
	ok(time_parse_rfc3339("2026-01-02T03:04:05.678Z", &seconds) == 0 && seconds == 1767323045, "without its fraction");
	ok(time_parse_rfc3339("1970-01-01T00:00:00.000Z", &seconds) == 0 && seconds == 0, "the epoch is 0");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(time_parse_rfc3339(bad[i], &seconds) < 0 && seconds == 0, "\"%s\" is none", bad[i]);
}

static void test_duration(void)
{
	static const struct { const char *text; uint64_t want; } good[] = {
		{ "0", 0 }, { "0s", 0 }, { "90", 90 }, { "90s", 90 }, { "5m", 300 }, { "24h", 86400 }, { "7d", 604800 },
		{ "007d", 604800 }, { "18446744073709551615", UINT64_MAX }, { "18446744073709551615s", UINT64_MAX },
		{ "213503982334601d", UINT64_MAX / 86400 * 86400 },
	};
	static const char *const bad[] = {
		"", "s", "d", " 1s", "1s ", "1 s", "-1", "-1s", "+1s", "1.5h", "1e3", "0x10", "10w", "10ms", "1S", "1H", "1h30m", "1hh",
		"18446744073709551616", "18446744073709551615m", "213503982334602d", "307445734561825861m", "99999999999999999999999d",
	};
	uint64_t t;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++) {
		t = 7;
		ok(time_parse_duration(good[i].text, &t) == 0 && t == good[i].want, "%s is %ju seconds", good[i].text,
		   (uintmax_t)good[i].want);
	}
	for (i = 0; i < ARRAY_LEN(bad); i++) {
		t = 7;
		ok(time_parse_duration(bad[i], &t) < 0 && t == 0, "\"%s\" is no duration", bad[i]);
	}
}

int main(void)
{
	uint64_t a = time_now_usec(), b = time_now_usec();

	ok(a > 0 && b >= a, "the clock for durations does not go back");
	test_format();
	test_zone();
	test_read();
	test_duration();
	return done_testing();
}
