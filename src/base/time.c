/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time: instants and durations as text.
 *
 * Owns the text of the last formatted second. Everything is UTC, and does not depend on the time zone and locale of the process.
 */

#include <stdbool.h>
#include <stdio.h>
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

/* Reads exactly n digits at *s, and moves *s behind them; -1 if there are fewer. */
static int digits(const char **s, int n)
{
	int v = 0;

	for (; n > 0; n--, (*s)++) {
		if (**s < '0' || **s > '9')
			return -1;
		v = v * 10 + (**s - '0');
	}
	return v;
}

static bool skip(const char **s, char c)
{
	if (**s != c)
		return false;
	(*s)++;
	return true;
}

static int days_in(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

/* Parses "Z" or "+hh:mm" as the whole rest; *off is what to subtract from the local time, in seconds. */
static int parse_offset(const char *s, int64_t *off)
{
	bool minus = *s == '-';
	int hour, min;

	*off = 0;
	if (*s == 'Z' || *s == 'z')
		return s[1] ? -1 : 0;
	if (*s != '+' && *s != '-')
		return -1;
	s++;
	hour = digits(&s, 2);
	if (hour < 0 || hour > 23 || !skip(&s, ':'))
		return -1;
	min = digits(&s, 2);
	if (min < 0 || min > 59 || *s)
		return -1;
	*off = (hour * 60 + min) * (minus ? -60 : 60);
	return 0;
}

static int parse_date(const char **s, struct tm *tm)
{
	int year, month, day;

	year = digits(s, 4);
	if (year < 0 || !skip(s, '-'))
		return -1;
	month = digits(s, 2);
	if (month < 1 || month > 12 || !skip(s, '-'))
		return -1;
	day = digits(s, 2);
	if (day < 1 || day > days_in(year, month))
		return -1;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

static int parse_clock(const char **s, struct tm *tm)
{
	tm->tm_hour = digits(s, 2);
	if (tm->tm_hour < 0 || tm->tm_hour > 23 || !skip(s, ':'))
		return -1;
	tm->tm_min = digits(s, 2);
	if (tm->tm_min < 0 || tm->tm_min > 59 || !skip(s, ':'))
		return -1;
	tm->tm_sec = digits(s, 2);
	if (tm->tm_sec < 0 || tm->tm_sec > 60)          /* 60: a leap second */
		return -1;
	return 0;
}

int time_parse_rfc3339(const char *s, int64_t *out)
{
	struct tm tm = { 0 };
	int64_t off;

	*out = 0;
	if (parse_date(&s, &tm) < 0)
		return -1;
	if (*s != 'T' && *s != 't' && *s != ' ')        /* RFC 3339, 5.6, allows all three */
		return -1;
	s++;
	if (parse_clock(&s, &tm) < 0)
		return -1;
	if (skip(&s, '.')) {
		if (digits(&s, 1) < 0)
			return -1;
		while (*s >= '0' && *s <= '9')
			s++;
	}
	if (parse_offset(s, &off) < 0)
		return -1;
	*out = (int64_t)timegm(&tm) - off;
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

uint64_t time_now_usec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)(ts.tv_nsec / NSEC_PER_USEC);
}
