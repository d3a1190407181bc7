/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changed: comparing what stat(2) says.
 *
 * Owns nothing. Knows nothing of what the file holds.
 */
#include "auth/changed.h"

#include <time.h>

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
