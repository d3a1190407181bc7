/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changed: reading, and comparing what stat(2) says.
 *
 * Owns nothing. Knows nothing of what the file holds.
 */
#include "auth/changed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "os/file.h"

#define SETTLED_SECONDS 2

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

/* A time in the future, by another machine's clock, is never settled. */
static bool is_settled(const struct stat *st)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return st->st_mtim.tv_sec + SETTLED_SECONDS < now.tv_sec && st->st_ctim.tv_sec + SETTLED_SECONDS < now.tv_sec;
}

bool changed_since(const struct changed *c, const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 || !c->settled || !same_file(&st, &c->seen);
}

void changed_note(struct changed *c, const struct stat *st)
{
	c->seen = *st;
	c->settled = st->st_ino != 0 && is_settled(st);
}

int changed_read(const char *file, unsigned mib, struct stat *st, struct str *text, struct str *msg)
{
	cleanup_fd int fd = os_open(AT_FDCWD, file, O_RDONLY | O_NONBLOCK, 0);
	const char *between = msg->len ? "\n" : "";
	int sys;

	*st = (struct stat){ 0 };
	if (fd >= 0 && fstat(fd, st) == 0) {
		if (!S_ISREG(st->st_mode) || st->st_size > (off_t)mib * 1024 * 1024) {
			str_addf(msg, "%s%s: cannot read: not a file, or one of more than %u MiB", between, file, mib);
			errno = EFBIG;
			return -1;
		}
		if (os_read_str(fd, (uint64_t)st->st_size, text) == 0)
			return 0;
	}
	sys = errno;
	str_addf(msg, "%s%s: cannot read: %s", between, file, strerror(sys));
	errno = sys;
	return -1;
}
