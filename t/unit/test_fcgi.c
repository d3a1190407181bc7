/* SPDX-License-Identifier: Apache-2.0 */
/* fcgi: the bytes of a request, and answers that are whole, cut off, padded, or something else. */

#include "base/fcgi.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

static void test_ask(void)
{
	static const char whole[] =
		"\1\1\0\1\0\10\0\0" "\0\1\0\0\0\0\0\0"
		"\1\4\0\1\0\7\0\0" "\2\3ABabc"
		"\1\4\0\1\0\0\0\0"
		"\1\5\0\1\0\0\0\0";
	const char *const params[] = { "AB", "abc", NULL };
	cleanup_str struct str out = STR_INIT;

	fcgi_ask(&out, params);
	ok(out.len == sizeof(whole) - 1 && memcmp(out.buf, whole, out.len) == 0, "a request: begin, parameters, their end, no body");
}

static void test_long(void)
{
	char value[301];
	const char *const params[] = { "A", value, NULL };
	cleanup_str struct str out = STR_INIT;

	memset(value, 'v', 300);
	value[300] = '\0';
	fcgi_ask(&out, params);
	ok(memcmp(out.buf + 16, "\1\4\0\1\1\62\0\0", 8) == 0, "a longer record says its length in two bytes");
	ok(memcmp(out.buf + 24, "\1\200\0\1\54Av", 7) == 0, "a value of 300 bytes has a length of four");
}

static void test_answer(void)
{
	static const char whole[] =
		"\1\6\0\1\0\3\5\0" "one" "pad.."
		"\1\7\0\1\0\3\0\0" "err"
		"\1\6\0\1\0\4\0\0" "-two"
		"\1\6\0\1\0\0\0\0"
		"\1\3\0\1\0\10\0\0" "\0\0\0\0\0\0\0\0";
	size_t end = sizeof(whole) - 1 - 16, i, wrong = 0;
	cleanup_str struct str out = STR_INIT;

	is_int(fcgi_answer(whole, sizeof(whole) - 1, &out), 1, "an answer is whole");
	is_str(out.buf, "one-two", "it is what was written as a response: no padding, no errors");
	for (i = 0; i < end + 8; i++) {
		str_reset(&out);
		wrong += fcgi_answer(whole, i, &out) != 0 || strncmp("one-two", out.buf, out.len) != 0;
	}
	is_int((long)wrong, 0, "cut off anywhere before its end it is not");
	str_reset(&out);
	is_int(fcgi_answer("HTTP/1.1 200 OK\r\n\r\n", 19, &out), -1, "HTTP is not FastCGI");
	is_int(fcgi_answer("", 0, &out), 0, "nothing at all is not whole");
}

int main(void)
{
	test_ask();
	test_long();
	test_answer();
	return done_testing();
}
