/* SPDX-License-Identifier: Apache-2.0 */
/* robots: lines, secrets, and a file that changes. */

#include "auth/robots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tap.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_names(void)
{
	static const char *const good[] = { "robot+a", "robot+A-b_c.9" };
	static const char *const bad[] = { "robot+", "robot", "", "a", "Robot+a", "robot+a b", "robot+a:b", "robot+a/b", "robot+@" };
	char longest[sizeof(ROBOT_PREFIX) + 65] = ROBOT_PREFIX;

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(robot_user_ok(good[i], strlen(good[i])), "a robot may be called %s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!robot_user_ok(bad[i], strlen(bad[i])), "none is called \"%s\"", bad[i]);
	memset(longest + strlen(ROBOT_PREFIX), 'x', 65);
	ok(robot_user_ok(longest, strlen(ROBOT_PREFIX) + 64), "64 characters may stand behind the prefix");
	ok(!robot_user_ok(longest, strlen(ROBOT_PREFIX) + 65), "not one more");
}

static void test_lines(void)
{
	static const char text[] = "# machines\r\n\nrobot+b:" HASH ":never:pull:a,b/**\r\nrobot+a:" HASH ":1700000000:push,delete:x\n";
	cleanup_robots_file struct robots_file f = ROBOTS_FILE_INIT;
	cleanup_str struct str msg = STR_INIT, line = STR_INIT;
	const struct robot *r;

	is_int(robots_parse(&f, "F", text, strlen(text), &msg), 0, "a file is taken");
	is_int(f.count, 2, "with its robots");
	ok(!robots_file_find(&f, "robot+c") && !robots_file_find(&f, "b"), "there are no others");
	r = robots_file_find(&f, "robot+b");
	ok(r && r->may == RIGHT_PULL && r->repositories.count == 2 && !robot_expired(r, INT64_MAX), "one may pull for ever");
	r = robots_file_find(&f, "robot+a");
	ok(r && r->may == (RIGHT_PULL | RIGHT_PUSH | RIGHT_DELETE), "push includes pull");
	ok(r && !robot_expired(r, 1699999999) && robot_expired(r, 1700000000), "up to its end");
	if (r)
		robot_line(r, &line);
	is_str(line.buf, HASH ":1700000000:pull,push,delete:x", "a line is written as it is read");
	robots_file_release(&f);
	is_int(robots_parse(&f, "F", "robot+a:" HASH ":never:pull:", strlen("robot+a:" HASH ":never:pull:"), &msg), -1, "a fault refuses all");
	is_int(f.count, 0, "and leaves nothing");
	ok(!strncmp(msg.buf, "F:1: ", 5) && !strstr(msg.buf, HASH), "its line is said, and no hash");
}

static void test_secrets(void)
{
	cleanup_str struct str one = STR_INIT, two = STR_INIT;
	struct robot r = { .may = RIGHT_PULL }, other = { .may = RIGHT_PULL };

	robot_secret(&one, r.hash);
	robot_secret(&two, other.hash);
	is_int(one.len, 49, "a secret is a prefix and 43 characters");
	ok(strcmp(one.buf, two.buf) != 0, "another one each time");
	ok(robot_has_secret(&r, one.buf, one.len), "its hash knows it");
	ok(!robot_has_secret(&r, two.buf, two.len) && !robot_has_secret(&r, one.buf, one.len - 1) && !robot_has_secret(&r, "", 0),
	   "and no other");
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) < 0 || fclose(f) != 0)
		abort();
}

static void test_file(void)
{
	char path[] = "/tmp/berth-test-robots.XXXXXX";
	struct robots *r;
	const struct robot *found;
	struct err e = ERR_INIT;
	int fd = mkstemp(path);

	if (fd < 0)
		abort();
	close(fd);
	unlink(path);
	r = robots_open(path);
	is_int(robots_find(r, "robot+a", &found, &e), 0, "a file that is not there has no robots");
	write_file(path, "robot+a:" HASH ":never:pull:x\n");
	is_int(robots_find(r, "robot+a", &found, &e), 1, "what is written into it holds at once");
	write_file(path, "robot+a:" HASH ":never:fly:x\n");
	ok(robots_find(r, "robot+a", &found, &e) == 1 && found->may == RIGHT_PULL, "when it becomes invalid, its previous contents stay in force");
	write_file(path, "robot+a:" HASH ":never:push:x\n");
	ok(robots_find(r, "robot+a", &found, &e) == 1 && found->may == (RIGHT_PULL | RIGHT_PUSH), "repaired, its contents are in force at once");
	unlink(path);
	is_int(robots_find(r, "robot+a", &found, &e), 0, "gone, its robots are gone");
	robots_close(&r);
	write_file(path, "robot+a:" HASH ":never:fly:x\n");
	r = robots_open(path);
	is_int(robots_find(r, "robot+a", &found, &e), -1, "a file that never was valid lets nobody in");
	ok(!found && e.status == 503, "the answer is 503");
	write_file(path, "robot+a:" HASH ":never:pull:x\n");
	is_int(robots_find(r, "robot+a", &found, &e), 1, "until it is repaired");
	unlink(path);
	robots_close(&r);
	err_release(&e);
}

int main(void)
{
	test_names();
	test_lines();
	test_secrets();
	test_file();
	return done_testing();
}
