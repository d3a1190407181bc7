/* SPDX-License-Identifier: Apache-2.0 */
/* range: Content-Range of uploads, and Range of what is counted. */

#include "base/mem.h"
#include "http/range.h"
#include "tap.h"

static void test_content_range(void)
{
	static const struct { const char *text; uint64_t first, last; } good[] = {
		{ "0-0", 0, 0 }, { "0-9", 0, 9 }, { "10-10", 10, 10 }, { "007-008", 7, 8 },
		{ "bytes 0-9", 0, 9 }, { "bytes 5-9/*", 5, 9 }, { "bytes 5-9/110", 5, 9 }, { "5-9/10", 5, 9 }, { "0-9/*", 0, 9 }, { "bytes=0-1", 0, 1 },
		{ "bytes=0-1/2", 0, 1 }, { "Bytes  0-1", 0, 1 }, { "bytes = 0 - 1 / 2 ", 0, 1 }, { " 0-1\t", 0, 1 }, { "0 - 1", 0, 1 }, { "0-1 /*", 0, 1 },
		{ "0-18446744073709551614", 0, UINT64_MAX - 1 },
		{ "18446744073709551614-18446744073709551614", UINT64_MAX - 1, UINT64_MAX - 1 },
	};
	static const char *const bad[] = {
		"", "-", "0", " ", "0-", "-0", "-5", "5-4", "0--1", "+0-1", "0-+1", "0-1,2-3", "a-b", "0x0-0x1",
		"0-1-2", "bytes", "bytes ", "bytes=", "bytes0-1", "octets 0-1", "bytes */10", "bytes bytes 0-1", "bytes==0-1", "=0-1", "0-1/", "0-1/x",
		"0-1/-1", "0-9/9", "0-9/0", "0-9/**", "0-9/10x", "0-9/* x", "0-9//10", "1e1-2e1", "0-18446744073709551615", "0-18446744073709551616",
		"18446744073709551616-18446744073709551617", "0-99999999999999999999999999", "0-9/18446744073709551616", "0-1\n", "0 1", "bytes 9-5/10",
	};
	uint64_t a, b;
	size_t i;

	for (i = 0; i < ARRAY_LEN(good); i++)
		ok(content_range_parse(good[i].text, &a, &b) == 0 && a == good[i].first && b == good[i].last,
		   "\"%s\" is a place", good[i].text);
	for (i = 0; i < ARRAY_LEN(bad); i++)
		ok(content_range_parse(bad[i], &a, &b) < 0 && !a && !b, "place %zu of the bad ones is refused", i);
}

static void test_range_bytes(void)
{
	static const struct { const char *text; uint64_t bytes; } cases[] = {
		{ "bytes=0-0", 1 }, { "bytes=0-99", 100 }, { "bytes=10-19", 10 }, { "bytes=10-", 90 }, { "bytes=90-1000", 10 },
		{ "bytes=-30", 30 }, { "bytes=-300", 100 }, { "Bytes=99-99", 1 }, { "bytes=100-", 0 }, { "bytes=100-200", 0 },
		{ "bytes=0-18446744073709551615", 100 },
		{ "", 100 }, { "bytes", 100 }, { "bytes=", 100 }, { "bytes=-", 100 }, { "bytes=5-4", 100 }, { "bytes=0-1,5-6", 100 },
		{ "bytes=1", 100 }, { "octets=0-1", 100 }, { "bytes=18446744073709551616-", 100 }, { "bytes=0-1 ", 100 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		is_int((intmax_t)range_bytes(cases[i].text, 100), (intmax_t)cases[i].bytes, "\"%s\" of 100 bytes", cases[i].text);
}

int main(void)
{
	test_content_range();
	test_range_bytes();
	return done_testing();
}
