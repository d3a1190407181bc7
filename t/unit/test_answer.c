/* SPDX-License-Identifier: Apache-2.0 */
/* answer: the bytes that a header Range means. */

#include "relay/answer.h"

#include "tap.h"

static void is_range(const char *range, uint64_t size, int status, uint64_t first, uint64_t end)
{
	uint64_t a, b;
	int got = answer_range(range, size, &a, &b);

	ok(got == status && (status == 416 || (a == first && b == end)), "\"%s\" of %d bytes: %d", range, (int)size, status);
}

int main(void)
{
	is_range("", 10, 200, 0, 10);
	is_range("bytes=0-0", 10, 206, 0, 1);
	is_range("bytes=2-5", 10, 206, 2, 6);
	is_range("bytes=2-", 10, 206, 2, 10);
	is_range("bytes=2-99", 10, 206, 2, 10);
	is_range("bytes=9-9", 10, 206, 9, 10);
	is_range("bytes=-3", 10, 206, 7, 10);
	is_range("bytes=-99", 10, 206, 0, 10);
	is_range("bytes=10-", 10, 416, 0, 0);
	is_range("bytes=-0", 10, 416, 0, 0);
	is_range("bytes=0-", 0, 416, 0, 0);
	is_range("bytes=-1", 0, 416, 0, 0);
	is_range("bytes=5-2", 10, 200, 0, 10);
	is_range("bytes=1-2,4-5", 10, 200, 0, 10);
	is_range("bytes=-", 10, 200, 0, 10);
	is_range("bytes=a-b", 10, 200, 0, 10);
	is_range("lines=1-2", 10, 200, 0, 10);
	is_range("bytes=0-18446744073709551615", 10, 206, 0, 10);
	is_range("bytes=18446744073709551616-", 10, 200, 0, 10);
	return done_testing();
}
