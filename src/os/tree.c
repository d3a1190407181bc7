/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: makes and removes directories with those above and below them.
 *
 * Owns no state.
 */
#include "os/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"

#define TRIES 3

int os_mkdir_once(int dirfd, const char *path)
{
	return os_mkdirat(dirfd, path, 0777) < 0 && errno != EEXIST ? -1 : 0;
}

/* Tries the directory itself first: usually its parent exists, and one call is enough. */
static int make_dirs(int dirfd, char *path)
{
	char *slash = strrchr(path, '/');
	int rc;

	if (os_mkdir_once(dirfd, path) == 0)
		return 0;
	if (errno != ENOENT || !slash || slash == path)
		return -1;
	*slash = '\0';
	rc = make_dirs(dirfd, path);
	*slash = '/';
	if (rc < 0)
		return -1;
	return os_mkdir_once(dirfd, path);
}

int os_mkdirs(int dirfd, const char *path)
{
	cleanup_str struct str p = STR_INIT;

	str_puts(&p, path);
	return make_dirs(dirfd, p.buf);
}

/* depth bounds the recursion: a tree may be one that the store did not make. */
static int remove_below(int dirfd, const char *path, unsigned depth)
{
	cleanup_names struct names names = NAMES_INIT;
	cleanup_fd int fd = -1;
	unsigned tries;
	size_t i;

	if (os_unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EISDIR && errno != EPERM) || depth == 0)
		return -1;
	fd = os_open(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return errno == ENOENT ? 0 : -1;
	/* A rename that began before this directory was moved here may bring an entry after it was read. */
	for (tries = 0; tries < TRIES; tries++) {
		names_drop(&names, names.count);
		if (os_dir_read(fd, DIR_ALL, &names) < 0)
			return -1;
		for (i = 0; i < names.count; i++)
			if (remove_below(fd, names.v[i], depth - 1) < 0)
				return -1;
		if (os_unlinkat(dirfd, path, AT_REMOVEDIR) == 0 || errno == ENOENT)
			return 0;
		if (errno != ENOTEMPTY && errno != EEXIST)
			return -1;
	}
	return -1;
}

int os_remove_tree(int dirfd, const char *path)
{
	return remove_below(dirfd, path, 256);
}
