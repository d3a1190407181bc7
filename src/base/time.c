/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: instants and durations as text.
 *
 * Owns the text of the last formatted second. Everything is UTC, and does not depend on the time zone and locale of the process.
 */

#include <string.h>
#include "base/mem.h"
#include "base/str.h"
#include "base/time.h"

#define NSEC_PER_MSEC 1000000L
#define NSEC_PER_USEC 1000L

/* An instant without its fraction, "2026-01-02T03:04:05", and its length; cached, because most calls are for the same second. */
static const char *whole_second(time_t sec, size_t *len)
{
	static char text[TIME_RFC3339_MAX - 6];
	static size_t text_len;
	static time_t of;
	struct tm tm;

	if (!text_len || sec != of) {
		text_len = gmtime_r(&sec, &tm) ? strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) : 0;
		of = sec;
	}
	*len = text_len;
	return text;
}

void time_rfc3339(char *buf, const struct timespec *ts, int with_ms)
{
	unsigned ms = (unsigned)(ts->tv_nsec / NSEC_PER_MSEC) % 1000;
	size_t n;
	const char *second = whole_second(ts->tv_sec, &n);

	buf[0] = '\0';
	if (!n)
		return;
	memcpy(buf, second, n);
	if (with_ms) {
		buf[n++] = '.';
		buf[n++] = (char)('0' + ms / 100);
		buf[n++] = (char)('0' + ms / 10 % 10);
		buf[n++] = (char)('0' + ms % 10);
	}
	memcpy(buf + n, "Z", 2);
}

const char *time_text(char buf[TIME_RFC3339_MAX], int64_t seconds)
{
	time_rfc3339(buf, &(struct timespec){ .tv_sec = (time_t)seconds }, 0);
	return buf;
}

int time_parse_rfc3339(const char *s, int64_t *seconds)
{
	struct tm tm = { 0 };
	const char *end = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);

	*seconds = 0;
	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	if (!end || strcmp(end, "Z") != 0)
		return -1;
	*seconds = timegm(&tm);
	return 0;
}

int time_parse_duration(const char *s, uint64_t *seconds)
{
	static const struct {
		const char *unit;
		uint64_t seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 24 * 3600 } };
	size_t digits = strspn(s, "0123456789"), i;
	uint64_t n;

	*seconds = 0;
	if (str_parse_u64(s, digits, &n) < 0)
		return -1;
	for (i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(s + digits, units[i].unit) != 0)
			continue;
		if (n > UINT64_MAX / units[i].seconds)
			return -1;
		*seconds = n * units[i].seconds;
		return 0;
	}
	return -1;
}

static uint64_t usec_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)(ts.tv_nsec / NSEC_PER_USEC);
}

uint64_t time_now_usec(void)
{
	return usec_of(CLOCK_MONOTONIC);
}

uint64_t time_boot_usec(void)
{
	return usec_of(CLOCK_BOOTTIME);
}
