/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_AUTH_WATCHED_H
#define BERTH_AUTH_WATCHED_H

/*
 * watched: a file of accounts that may change at any time.
 *
 * Every login compares stat(2) of the file with that of the version read last and reads the file again if they differ. So
 * a change takes effect with the next request, in every process. If the file has become unreadable or malformed, the
 * previous contents stay in force for WATCHED_GRACE seconds from the first login that finds it so. After that, logins by
 * this file fail with 503 until it is repaired. The log reports each fault once.
 *
 * A file that changed shortly before it was read may change once more without a new time: the clocks of file systems
 * advance in steps, of 4 ms on most and of a second or two on some. Until that time has passed, the file is read by
 * every login.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/str.h"

#define WATCHED_GRACE 5         /* seconds */

struct watched {
	const char *file;       /* borrowed */
	const char *event;      /* of its log lines; borrowed */
	int (*read)(void *owner, struct stat *st, size_t *count, struct str *msg);
	void *owner;
	bool has;               /* a valid version was read */
	struct stat seen;       /* of the version read last, valid or not; zeroed: there was no file */
	bool settled;           /* that version cannot change without a new time */
	struct str fault;       /* of the version read last; empty: it is valid */
	uint64_t wrong_since;   /* microseconds; when `fault` was first found */
};

/*
 * watched_init - watch a file, after fork; it is not read yet
 * read  reads the file. If it is valid, the owner's contents are replaced, st is set to what fstat(2) says and count to the
 *       number of accounts; it returns 0. If not, the contents stay as they are, msg gets the fault, and it returns -1.
 */
void watched_init(struct watched *w, const char *file, const char *event,
		  int (*read)(void *owner, struct stat *st, size_t *count, struct str *msg), void *owner);
void watched_release(struct watched *w);

/*
 * watched_check - read the file again if it may have changed
 * now  of time_now_usec()
 *
 * Returns 0 if the owner's contents are in force, or -1 UNAVAILABLE 503.
 */
int watched_check(struct watched *w, uint64_t now, struct err *e);

/*
 * watched_read - read a file of at most mib MiB whole
 * st   gets what fstat(2) says of it; zeroed if it cannot be opened; may be NULL
 * msg  gets "FILE: cannot read: why", after a newline if it is not empty
 *
 * Returns 0, or -1 with msg and errno.
 */
int watched_read(const char *file, unsigned mib, struct stat *st, struct str *text, struct str *msg);

#endif
