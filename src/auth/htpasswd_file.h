/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_HTPASSWD_FILE_H
#define BERTH_AUTH_HTPASSWD_FILE_H

/*
 * htpasswd_file: the form of a password file: "user:hash" a line; empty lines and those that begin with # are passed over.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include "base/str.h"

#define HTPASSWD_USER_MAX 255                   /* bytes */
#define HTPASSWD_FILE_MAX (8 * 1024 * 1024)

struct htpasswd_entry {
	const char *user, *hash;        /* borrowed from the text */
	unsigned line;
};

struct htpasswd_file {
	char *text;
	struct htpasswd_entry *v;       /* sorted by user */
	size_t count;
	const char *usual;              /* a hash that costs what most of them cost; of no user where there is none */
};

#define HTPASSWD_FILE_INIT { 0 }

void htpasswd_file_release(struct htpasswd_file *f);
#define cleanup_htpasswd_file __attribute__((cleanup(htpasswd_file_release)))

/*
 * htpasswd_file_parse - take a file's text apart
 * file  its name, for the message
 * msg   gets a line a fault, "FILE:LINE: what is wrong; what to do", newline between, the first ten of them; no hash
 *       is ever repeated in it
 *
 * Returns 0, or -1 with msg; out is then empty.
 */
int htpasswd_file_parse(struct htpasswd_file *out, const char *file, const char *text, size_t len, struct str *msg);

/*
 * htpasswd_file_read - the same for a file on disk
 * st  gets what fstat(2) says of what was read; zeroed where it could not be opened
 */
int htpasswd_file_read(struct htpasswd_file *out, const char *file, struct stat *st, struct str *msg);

/* htpasswd_file_find - the entry of a user, or NULL */
const struct htpasswd_entry *htpasswd_file_find(const struct htpasswd_file *f, const char *user);

/* htpasswd_user_ok - whether a user may have this name: not empty, not too long, no colon, no control byte, no '@' or '#' first */
bool htpasswd_user_ok(const char *user, size_t len);

#endif
