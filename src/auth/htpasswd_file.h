/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_FILE_H
#define BERTH_AUTH_HTPASSWD_FILE_H

/*
 * htpasswd_file: the form of a password file: one "user:hash" a line; empty lines and lines that begin with # are ignored, as is
 * white space around a line.
 *
 * A line with a hash that berth does not check (MD5, SHA-1, DES) is skipped, and nobody can log in by it. Of several lines of a
 * user the last one counts, as for registry:2, even if it is skipped.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "base/str.h"

#define HTPASSWD_USER_MAX 255                   /* bytes */
#define HTPASSWD_FILE_MAX_MIB 8

struct htpasswd_entry {
	const char *user, *hash;        /* borrowed from the text */
	unsigned line;
};

struct htpasswd_file {
	char *text;
	struct htpasswd_entry *v;       /* sorted by user */
	size_t count;
	const char *usual;              /* a hash of the cost that is most frequent; if there are no users, a hash of nobody */
};

#define HTPASSWD_FILE_INIT { 0 }

void htpasswd_file_release(struct htpasswd_file *f);
#define cleanup_htpasswd_file __attribute__((cleanup(htpasswd_file_release)))

/*
 * htpasswd_file_parse - parse the text of a file
 * file     its name, for the messages
 * skipped  gets a line "FILE:LINE: why it is skipped" for each of the first ten lines that are skipped, separated by newlines;
 *          may be NULL
 * msg      gets a line "FILE:LINE: what is wrong; what to do" for each of the first ten faults, in the same way
 * Neither ever has a hash.
 *
 * Returns 0, or -1 with msg; out is then empty.
 */
int htpasswd_file_parse(struct htpasswd_file *out, const char *file, const char *text, size_t len, struct str *skipped,
			struct str *msg);

/*
 * htpasswd_file_read - the same for a file on disk
 * st  as for watched_read()
 */
int htpasswd_file_read(struct htpasswd_file *out, const char *file, struct stat *st, struct str *skipped, struct str *msg);

/* htpasswd_file_find - the entry of a user, or NULL */
const struct htpasswd_entry *htpasswd_file_find(const struct htpasswd_file *f, const char *user);

/* htpasswd_user_ok - whether it is a valid user name: 1 to HTPASSWD_USER_MAX bytes, no ':' or control byte, no '@' or '#' first */
bool htpasswd_user_ok(const char *user, size_t len);

#endif
