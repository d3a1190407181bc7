/* SPDX-License-Identifier: Apache-2.0 */
/* Instants as text, against a second reading of RFC 3339. */

#include "fuzz.h"

#include <ctype.h>

#include "base/mem.h"
#include "base/time.h"

/* Whether s has the shape: d for a digit, anything else for itself. */
static bool shaped(const char *s, const char *shape)
{
	for (; *shape; s++, shape++) {
		if (*shape == 'd' ? !isdigit((unsigned char)*s) : *s != *shape)
			return false;
	}
	return true;
}

static int number(const char *s, int digits)
{
	int v = 0;

	while (digits--)
		v = v * 10 + *s++ - '0';
	return v;
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar. */
static int64_t days(int year, int month, int day)
{
	static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
	int64_t y = year - (month <= 2), leaps;

	leaps = y / 4 - y / 100 + y / 400;
	if (y < 0)
		leaps = -1;     /* February of the year 0, which has one, is still to come */
	return 365 * (int64_t)year + leaps + before[month - 1] + day - 1 - (365 * 1970 + 477);
}

static bool expected(const char *s, int64_t *out)
{
	static const int length[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, hour, min, sec, off = 0;

	if (!shaped(s, "dddd-dd-dd"))
		return false;
	year = number(s, 4);
	month = number(s + 5, 2);
	day = number(s + 8, 2);
	s += 10;
	if (!*s || !strchr("Tt ", *s++) || !shaped(s, "dd:dd:dd"))
		return false;
	hour = number(s, 2);
	min = number(s + 3, 2);
	sec = number(s + 6, 2);
	s += 8;
	if (month < 1 || month > 12 || day < 1 || day > length[month - 1] || hour > 23 || min > 59 || sec > 60)
		return false;
	if (month == 2 && day == 29 && (year % 4 || (year % 100 == 0 && year % 400)))
		return false;
	if (*s == '.') {
		s++;
		if (!isdigit((unsigned char)*s))
			return false;
		while (isdigit((unsigned char)*s))
			s++;
	}
	if ((*s == '+' || *s == '-') && shaped(s + 1, "dd:dd")) {
		if (number(s + 1, 2) > 23 || number(s + 4, 2) > 59)
			return false;
		off = (number(s + 1, 2) * 60 + number(s + 4, 2)) * (*s == '-' ? -60 : 60);
		s += 6;
	} else if (*s == 'Z' || *s == 'z') {
		s++;
	} else {
		return false;
	}
	*out = days(year, month, day) * 86400 + hour * 3600 + min * 60 + sec - off;
	return *s == '\0';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = xstrndup(size ? (const char *)data : "", size < 512 ? size : 512), buf[TIME_RFC3339_MAX];
	int64_t got = 1, want = 0, again = 0;
	bool ok = time_parse_rfc3339(text, &got) == 0;
	struct timespec ts = { .tv_nsec = (long)(size * 7919 % 1000000000) };

	CHECK(ok == expected(text, &want));
	CHECK(got == (ok ? want : 0));
	/* what is written is read back, with milliseconds too, from the year 1000 to 9999 */
	if (ok && got >= -30610224000 && got < 253402300800) {
		ts.tv_sec = (time_t)got;
		time_rfc3339(buf, &ts, 0);
		CHECK(strlen(buf) == 20 && time_parse_rfc3339(buf, &again) == 0 && again == got);
		time_rfc3339(buf, &ts, 1);
		CHECK(strlen(buf) == 24 && time_parse_rfc3339(buf, &again) == 0 && again == got);
	}
	free(text);
	return 0;
}
