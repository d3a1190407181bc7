/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_ROBOTS_H
#define BERTH_AUTH_ROBOTS_H

/*
 * robots: accounts for machines, each with its own rights and an expiry time.
 *
 * A line of the file is "robot+NAME:HASH:EXPIRES:ACTIONS:REPOSITORIES": the SHA-256 of the secret in hexadecimal digits;
 * seconds since the epoch, or "never"; rights and patterns (base/pattern.h), both separated by commas. Empty lines and
 * lines that begin with # are ignored. A secret has 256 random bits and cannot be guessed, so a fast hash is enough; a
 * password would need a slow one.
 *
 * A robot has the rights of its line and those of "@anonymous". Rules for users, "@users" among them, do not apply to it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/str.h"
#include "conf/right.h"
#include "os/dir.h"

/* Begins the user name of every robot. If robots are configured, no other user can log in by such a name. */
#define ROBOT_PREFIX "robot+"
#define ROBOT_HASH_LEN 64

struct robot {
	char *user;                     /* with the prefix */
	char hash[ROBOT_HASH_LEN + 1];
	int64_t expires;                /* 0: never */
	unsigned may;                   /* bits of enum right; RIGHT_PUSH never without RIGHT_PULL */
	struct names repositories;      /* valid patterns */
};

struct robots_file {
	struct robot *v;                /* sorted by user */
	size_t count;
};

#define ROBOTS_FILE_INIT { 0 }

void robots_file_release(struct robots_file *f);
#define cleanup_robots_file __attribute__((cleanup(robots_file_release)))

/* robot_user_ok - whether it is a valid user name of a robot: the prefix, then 1 to 64 letters, digits, '.', '_' or '-' */
bool robot_user_ok(const char *user, size_t len);
bool robot_is(const char *user);                /* whether it has the prefix */

/*
 * robots_parse - parse the text of a file
 * msg  gets "FILE:LINE: what is wrong" for the first fault, never with a hash
 *
 * Returns 0, or -1 with msg; out is then empty. robots_read does the same for a file on disk; a missing file has no
 * robots. st as for watched_read().
 */
int robots_parse(struct robots_file *out, const char *file, const char *text, size_t len, struct str *msg);
int robots_read(struct robots_file *out, const char *file, struct stat *st, struct str *msg);

const struct robot *robots_file_find(const struct robots_file *f, const char *user);    /* NULL: there is none */

/* robot_admin_ok - false where the right "admin", which is one in the whole registry, is given without the pattern "**" */
bool robot_admin_ok(const struct robot *r);

/* robot_line - add to out the part of a robot's line after its name and the colon */
void robot_line(const struct robot *r, struct str *out);

/* robot_secret - add a new secret to out, which the caller wipes, and set its hash */
void robot_secret(struct str *out, char hash[ROBOT_HASH_LEN + 1]);

bool robot_has_secret(const struct robot *r, const char *secret, size_t len);
bool robot_expired(const struct robot *r, int64_t now);

/* The robots of a file that may change at any time. auth/watched has the policy for a file that becomes invalid. */
struct robots;

struct robots *robots_open(const char *file);   /* after fork; file is borrowed */
void robots_close(struct robots **r);

/*
 * robots_find - the robot with this user name
 * out  borrowed until the next call; NULL if there is none
 *
 * Returns 1, 0, or -1 UNAVAILABLE 503 if the file is invalid (watched_check).
 */
int robots_find(struct robots *r, const char *user, const struct robot **out, struct err *e);

#endif
