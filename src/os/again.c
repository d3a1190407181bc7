/* SPDX-License-Identifier: Apache-2.0 */
/*
 * again: looking again where a name is stale, from the nearest directory that is kept open.
 *
 * Owns no state.
 */
#include "os/again.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "os/near.h"
#include "os/process.h"

#define TRIES 8
#define AT_ONCE 2       /* of them; before each further one there is a pause */
#define PAUSE 1000      /* microseconds */

bool os_again(int error, unsigned *tries)
{
	if (error != ESTALE || ++*tries >= TRIES)
		return false;
	near_renew();
	if (*tries > AT_ONCE)
		os_pause(PAUSE);
	return true;
}

/* MAKE(call) - the rest of a function's body: the call, until it is not stale */
#define MAKE(call)                                         \
	do {                                               \
		unsigned tries = 0;                        \
		int rc;                                    \
							   \
		do                                         \
			rc = (call);                       \
		while (rc < 0 && os_again(errno, &tries)); \
		return rc;                                 \
	} while (0)

int os_fstatat(int dirfd, const char *path, struct stat *sb, int flags)
{
	dirfd = near_from(dirfd, &path);
	MAKE(fstatat(dirfd, path, sb, flags));
}

int os_fstat(int fd, struct stat *sb)
{
	MAKE(fstat(fd, sb));
}

int os_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *sx)
{
	dirfd = near_from(dirfd, &path);
	MAKE(statx(dirfd, path, flags, mask, sx));
}

int os_faccessat(int dirfd, const char *path, int mode, int flags)
{
	dirfd = near_from(dirfd, &path);
	MAKE(faccessat(dirfd, path, mode, flags));
}

int os_mkdirat(int dirfd, const char *path, mode_t mode)
{
	dirfd = near_from(dirfd, &path);
	MAKE(mkdirat(dirfd, path, mode));
}

int os_linkat(int olddir, const char *old, int newdir, const char *new, int flags)
{
	olddir = near_from(olddir, &old);
	newdir = near_from(newdir, &new);
	MAKE(linkat(olddir, old, newdir, new, flags));
}

int os_renameat(int olddir, const char *old, int newdir, const char *new)
{
	return os_renameat2(olddir, old, newdir, new, 0);
}

/* Whether a rename of which the old name is gone has been done, and nobody has removed the directory in which that was. */
static bool was_renamed(int olddir, const char *old, int newdir, const char *new)
{
	cleanup_str struct str dir = STR_INIT;
	const char *slash = strrchr(old, '/');
	struct stat sb;

	if (slash)
		str_add(&dir, old, (size_t)(slash - old));
	return fstatat(newdir, new, &sb, AT_SYMLINK_NOFOLLOW) == 0 && (!slash || fstatat(olddir, dir.buf, &sb, AT_SYMLINK_NOFOLLOW) == 0);
}

int os_renameat2(int olddir, const char *old, int newdir, const char *new, unsigned flags)
{
	bool distant = near_is_for(olddir) && !(flags & RENAME_EXCHANGE);
	unsigned tries = 0;
	int rc;

	olddir = near_from(olddir, &old);
	newdir = near_from(newdir, &new);
	do
		rc = flags ? renameat2(olddir, old, newdir, new, flags) : renameat(olddir, old, newdir, new);
	while (rc < 0 && !(flags & RENAME_EXCHANGE) && os_again(errno, &tries));
	if (rc < 0 && errno == ENOENT && (tries || distant)) {
		rc = was_renamed(olddir, old, newdir, new) ? 0 : -1;
		errno = ENOENT;
	}
	return rc;
}

int os_unlinkat(int dirfd, const char *path, int flags)
{
	dirfd = near_from(dirfd, &path);
	MAKE(unlinkat(dirfd, path, flags));
}

int os_utimensat(int dirfd, const char *path, const struct timespec times[2], int flags)
{
	dirfd = near_from(dirfd, &path);
	MAKE(utimensat(dirfd, path, times, flags));
}
