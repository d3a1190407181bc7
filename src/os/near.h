/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_NEAR_H
#define BERTH_OS_NEAR_H

/*
 * near: directories that are kept open, so that paths below them are looked up from there.
 *
 * On a network file system each component of a path may be a question to a server. The calls of os/again.h and os_open() of
 * os/file.h begin at the nearest directory that is kept. So only directories that stay what they are as long as the process lives may
 * be kept: a directory that is renamed would be followed to its new place.
 */

#include <stdbool.h>
#include <stddef.h>

#define NEAR_MAX 12
#define NEAR_LENT 4

/*
 * near_keep - keep these directories open for paths relative to dirfd, at most NEAR_MAX; the deepest of a path comes first
 * paths  static text. One that cannot be opened is left out. There is one such dirfd in a process: those kept before are closed.
 */
void near_keep(int dirfd, const char *const *paths, size_t count);

/*
 * near_renew - open those that are kept again, by their paths: one of them may be what is stale
 * The numbers of their descriptors stay the same. One that cannot be opened stays as it is.
 */
void near_renew(void);

/* A directory that may be renamed: whoever lends it finds out whether it was. */
struct near_dir {
	const char *path;       /* relative to the dirfd of near_keep(), borrowed */
	int fd;                 /* borrowed */
};

/*
 * near_lend   - look up from these directories, too, at most NEAR_LENT, until near_return(); they come before those that are kept
 * near_return - end that; whether anything was looked up from one of them
 */
void near_lend(const struct near_dir *dirs, size_t count);
bool near_return(void);

/* near_drop - close those of dirfd, before dirfd is closed */
void near_drop(int dirfd);

/* near_is_for - whether directories below this one are kept */
bool near_is_for(int dirfd);

/* near_from - the descriptor from which a path relative to dirfd is to be looked up; *path becomes the rest of it */
int near_from(int dirfd, const char **path);

#endif
