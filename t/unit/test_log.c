/* SPDX-License-Identifier: Apache-2.0 */
/* log: one event, one line, one JSON object. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/json.h"
#include "base/json_check.h"
#include "base/log.h"
#include "base/mem.h"
#include "tap.h"

static char got[65536];
static int saved_fd, pipe_fds[2];

/* `got` receives what is written to standard error between these two. */
static void capture(void)
{
	fflush(stderr);
	saved_fd = dup(STDERR_FILENO);
	if (saved_fd < 0 || pipe2(pipe_fds, O_CLOEXEC) < 0 || dup2(pipe_fds[1], STDERR_FILENO) < 0)
		exit(99);
}

static void captured(void)
{
	ssize_t n;

	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	close(pipe_fds[1]);
	n = read(pipe_fds[0], got, sizeof(got) - 1);            /* one read: a line is one write */
	got[n > 0 ? n : 0] = '\0';
	close(pipe_fds[0]);
}

static bool line_has(const char *part)
{
	return strstr(got, part) != NULL;
}

static bool one_json_line(void)
{
	struct json_fault f;
	size_t len = strlen(got);

	return len && got[len - 1] == '\n' && !memchr(got, '\n', len - 1) && json_check(got, len, &f) == 0;
}

static void test_levels(void)
{
	struct log_event ev;

	log_begin(&ev, LOG_DEBUG, "x");
	ok(!ev.on, "debug is off to begin with");
	log_set_level(LOG_ERROR);
	capture();
	log_begin(&ev, LOG_WARN, "x");
	log_str(&ev, "a", "b");
	log_int(&ev, "n", 1);
	log_end(&ev);
	log_say(LOG_WARN, "x", "text");
	captured();
	is_str(got, "", "below the level nothing is written");
	log_set_level(LOG_DEBUG);
	log_begin(&ev, LOG_DEBUG, "x");
	ok(ev.on, "debug can be switched on");
	str_release(&ev.line);
	log_set_level(LOG_INFO);
}

static void test_event(void)
{
	struct log_event ev;
	char pid[32];

	capture();
	errno = EBUSY;
	log_begin(&ev, LOG_WARN, "request");
	log_str(&ev, "name", "team/app");
	log_str(&ev, "none", NULL);
	log_strn(&ev, "part", "abcdef", 3);
	log_int(&ev, "status", -404);
	log_int(&ev, "min", INT64_MIN);
	log_ms(&ev, "ms", 1234567);
	log_ms(&ev, "us", 7);
	log_end(&ev);
	captured();
	ok(one_json_line(), "an event is one line and valid JSON");
	is_int(errno, EBUSY, "logging keeps errno");
	is_int(strncmp(got, "{\"time\":\"20", 11), 0, "it begins with the time");
	ok(got[28] == '.' && got[32] == 'Z', "in UTC, with milliseconds");
	snprintf(pid, sizeof(pid), "\"pid\":%ld,", (long)getpid());
	ok(line_has("Z\",\"level\":\"warn\",\"event\":\"request\",\"pid\":") && line_has(pid),
	   "then come level, event and process");
	ok(line_has(",\"name\":\"team/app\",\"part\":\"abc\",\"status\":-404,\"min\":-9223372036854775808,"
		    "\"ms\":1234.567,\"us\":0.007}"), "then the fields in their order");
	ok(!line_has("none"), "a text that is NULL is no field");
}

static void test_text(void)
{
	struct log_event ev;
	char text[2000], want[700];

	capture();
	log_begin(&ev, LOG_ERROR, "evil");
	log_str(&ev, "ua", "a\"\n{\"level\":\"x\"}\\ \x1b[31m \xff\xc0\x80");
	log_end(&ev);
	captured();
	ok(one_json_line(), "what a client sent can neither end the line nor the string");
	ok(line_has("\\u001b[31m") && line_has("\xef\xbf\xbd"), "it is escaped, ill-formed bytes replaced");

	memset(text, 'a', sizeof(text));
	text[512] = '\0';
	memset(want, 0, sizeof(want));
	snprintf(want, sizeof(want), "\"t\":\"%.512s\"}", text);
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_str(&ev, "t", text);
	log_end(&ev);
	captured();
	ok(line_has(want), "a text of 512 bytes is whole");

	text[512] = 'a';
	snprintf(want, sizeof(want), "\"t\":\"%.512s...\"}", text);
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_strn(&ev, "t", text, 513);
	log_end(&ev);
	captured();
	ok(line_has(want), "one of 513 bytes is cut, and says so");

	memcpy(text + 509, "\xf0\x9f\x98\x80", 4);
	snprintf(want, sizeof(want), "\"t\":\"%.509s...\"}", text);
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_strn(&ev, "t", text, sizeof(text));
	log_end(&ev);
	captured();
	ok(line_has(want) && one_json_line(), "it is not cut within a character");

	memcpy(text + 508, "\xf0\x9f\x98\x80", 4);
	text[512] = 'a';
	snprintf(want, sizeof(want), "\"t\":\"%.512s...\"}", text);
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_strn(&ev, "t", text, sizeof(text));
	log_end(&ev);
	captured();
	ok(line_has(want), "a character that just fits is kept");

	memset(text, '\xbf', sizeof(text));
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_strn(&ev, "t", text, sizeof(text));
	log_end(&ev);
	captured();
	ok(one_json_line() && strlen(got) < 2000, "nothing but ill-formed bytes is cut as well");
}

/* For any number of fields of any kind: one write, of a length that a pipe writes in one piece. */
static void test_hostile(void)
{
	static const char *const evil[] = { "\x01", "\"", "\xff", "\xf0\x9f\x98\x80", "\xc3\xa4\x1f", "\\\xe2\x82" };
	char text[3000], key[16];

	for (size_t kind = 0; kind < ARRAY_LEN(evil); kind++) {
		struct log_event ev;
		size_t unit = strlen(evil[kind]);
		const char *last;

		for (size_t i = 0; i < sizeof(text); i++)
			text[i] = evil[kind][i % unit];
		for (size_t fields = 1; fields <= 19; fields += 9) {
			capture();
			log_begin(&ev, LOG_ERROR, "evil");
			for (size_t i = 0; i < fields; i++) {
				snprintf(key, sizeof(key), "text%zu", i);
				log_strn(&ev, key, text, sizeof(text));
			}
			log_int(&ev, "status", 404);
			log_ms(&ev, "ms", 1234567);
			log_end(&ev);
			captured();
			ok(strlen(got) <= 4096 && one_json_line(), "%zu long texts of kind %zu make one short line of JSON", fields, kind);
			ok(line_has(",\"status\":404,\"ms\":1234.567}"), "and the numbers behind them are in it");
			last = strstr(got, "...\"");
			ok(last && last - strstr(got, "\"text0\":\"") <= 9 + 512, "the first is cut at 512 bytes as they stand there");
		}
	}
	memset(text, 'k', sizeof(text));
	capture();
	{
		struct log_event ev;

		log_begin(&ev, LOG_ERROR, "many");
		for (size_t i = 0; i < 300; i++) {
			snprintf(key, sizeof(key), "number%zu", i);
			log_int(&ev, key, INT64_MIN);
		}
		log_end(&ev);
	}
	captured();
	ok(strlen(got) <= 4096 && one_json_line(), "more fields than a line has room for are left out");
}

static void test_nested(void)
{
	struct log_event outer, inner;
	char pid[32];

	capture();
	log_begin(&outer, LOG_INFO, "outer");
	log_str(&outer, "a", "1");
	log_begin(&inner, LOG_DEBUG, "off");
	log_end(&inner);
	log_begin(&inner, LOG_INFO, "inner");
	log_str(&inner, "b", "2");
	log_end(&inner);
	log_end(&outer);
	captured();
	ok(strstr(got, "\"inner\"") < strstr(got, "\"outer\"") && line_has(",\"b\":\"2\"}\n{") && line_has(",\"a\":\"1\"}\n"),
	   "a line may be written while another is being put together");
	snprintf(pid, sizeof(pid), "\"pid\":%ld}", (long)getpid());
	log_keep_pid();
	capture();
	log_begin(&outer, LOG_INFO, "kept");
	log_end(&outer);
	captured();
	ok(one_json_line() && line_has(pid), "a pid that is kept is the process' own");
}

static void test_err(void)
{
	struct err e = ERR_INIT;
	struct log_event ev;

	errno = ENOSPC;
	err_sys(&e, "write %s", "body/1");
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_err(&ev, &e);
	log_end(&ev);
	captured();
	ok(line_has(",\"code\":\"UNAVAILABLE\",\"cause\":\"write body/1\",\"errno\":\"ENOSPC\"}"),
	   "an error of the system is logged with its cause and the errno's name");
	err_set(&e, ERR_NAME_INVALID, "bad name");
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_err(&ev, &e);
	log_end(&ev);
	captured();
	ok(line_has(",\"code\":\"NAME_INVALID\",\"error\":\"bad name\"}"), "another one with its detail");
	e.sys = 99999;
	capture();
	log_begin(&ev, LOG_ERROR, "x");
	log_err(&ev, &e);
	log_end(&ev);
	captured();
	ok(line_has(",\"errno\":99999}") && one_json_line(), "an errno without a name is a number");
	err_release(&e);
}

static void test_say(void)
{
	int before;

	capture();
	errno = ENOENT;
	log_say(LOG_INFO, "start", "%d workers, \"%s\": %m", 4, "x");
	captured();
	ok(one_json_line() && line_has(",\"message\":\"4 workers, \\\"x\\\": No such file or directory\"}"),
	   "a message is formatted, errno included");
	capture();
	before = dup(STDERR_FILENO);
	close(STDERR_FILENO);
	log_say(LOG_INFO, "start", "lost");
	dup2(before, STDERR_FILENO);
	close(before);
	captured();
	is_str(got, "", "a line that cannot be written is lost, and that is all");
}

int main(void)
{
	test_levels();
	test_event();
	test_text();
	test_hostile();
	test_nested();
	test_err();
	test_say();
	return done_testing();
}
