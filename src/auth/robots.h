/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_ROBOTS_H
#define BERTH_AUTH_ROBOTS_H

/*
 * robots: accounts of machines, with rights of their own and an end.
 *
 * A file of lines "robot+NAME:HASH:EXPIRES:ACTIONS:REPOSITORIES": the SHA-256 of the secret in hexadecimal digits; seconds
 * since the epoch, or "never"; "pull", "push" and "delete" and patterns (base/pattern.h), both with commas between. Empty
 * lines and those that begin with # are passed over. A secret is 256 random bits, which no guessing finds, so one round
 * of a fast hash keeps it; a password would need a slow one.
 *
 * A robot may do what its line says and what everybody may. Rules for users do not speak of it: "@users" neither.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/right.h"
#include "os/dir.h"

#define ROBOT_PREFIX "robot+"           /* of the names that robots log in by; users' names do not begin so where there are robots */
#define ROBOT_HASH_LEN 64

struct robot {
	char *user;                     /* with the prefix */
	char hash[ROBOT_HASH_LEN + 1];
	int64_t expires;                /* 0: never */
	unsigned may;                   /* enum right, added up; with RIGHT_PUSH always RIGHT_PULL */
	struct names repositories;      /* patterns without a fault */
};

struct robots_file {
	struct robot *v;                /* sorted by user */
	size_t count;
};

#define ROBOTS_FILE_INIT { 0 }

void robots_file_release(struct robots_file *f);
#define cleanup_robots_file __attribute__((cleanup(robots_file_release)))

/* robot_user_ok - whether a robot may log in by this name: the prefix, then 1 to 64 letters, digits, '.', '_' or '-' */
bool robot_user_ok(const char *user, size_t len);
bool robot_is(const char *user);                /* whether it has the prefix */

/*
 * robots_parse - take a file's text apart
 * msg  gets "FILE:LINE: what is wrong" for the first fault; no hash is ever repeated in it
 *
 * Returns 0, or -1 with msg; out is then empty. robots_read does the same for a file on disk; one that is not there has
 * no robots. st gets what fstat(2) says of what was read; zeroed where there was nothing.
 */
int robots_parse(struct robots_file *out, const char *file, const char *text, size_t len, struct str *msg);
int robots_read(struct robots_file *out, const char *file, struct stat *st, struct str *msg);

const struct robot *robots_file_find(const struct robots_file *f, const char *user);    /* NULL: there is none */

/* robot_line - what of a robot's line stands behind its name and the colon */
void robot_line(const struct robot *r, struct str *out);

/* robot_secret - a new secret, added to out, and its hash; whoever called wipes it */
void robot_secret(struct str *out, char hash[ROBOT_HASH_LEN + 1]);

bool robot_has_secret(const struct robot *r, const char *secret, size_t len);
bool robot_expired(const struct robot *r, int64_t now);

/* Robots by the file as it is now: looked at by each call, and read again when it is another one. */
struct robots;

struct robots *robots_open(const char *file);   /* after fork; file is borrowed */
void robots_close(struct robots **r);

/*
 * robots_find - the robot that logs in by this name
 * out  borrowed until the next call; NULL where there is none
 *
 * Returns 1, 0, or -1 UNAVAILABLE 503 where the file cannot be read or has a fault, which the log says.
 */
int robots_find(struct robots *r, const char *user, const struct robot **out, struct err *e);

#endif
