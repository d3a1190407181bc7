/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near: directories that are kept open.
 *
 * Owns the descriptors that it has opened, for one directory at a time, and borrows others for a while.
 */
#include "os/near.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static struct {
	int dirfd;
	size_t count;
	struct {
		const char *path;
		size_t len;
		int fd;
	} kept[NEAR_MAX];
	const struct near_dir *lent;
	size_t nlent;
	bool used;              /* one of those that are lent */
} near = { .dirfd = -1 };

void near_drop(int dirfd)
{
	if (near.dirfd != dirfd)
		return;
	while (near.count)
		close(near.kept[--near.count].fd);
	near.dirfd = -1;
}

void near_keep(int dirfd, const char *const *paths, size_t count)
{
	near_drop(near.dirfd);
	near.dirfd = dirfd;
	for (size_t i = 0; i < count && near.count < NEAR_MAX; i++) {
		int fd = openat(dirfd, paths[i], O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			continue;
		near.kept[near.count].path = paths[i];
		near.kept[near.count].len = strlen(paths[i]);
		near.kept[near.count++].fd = fd;
	}
}

void near_renew(void)
{
	for (size_t i = 0; i < near.count; i++) {
		int fd = openat(near.dirfd, near.kept[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd < 0)
			continue;
		dup3(fd, near.kept[i].fd, O_CLOEXEC);
		close(fd);
	}
}

void near_lend(const struct near_dir *dirs, size_t count)
{
	near.lent = dirs;
	near.nlent = count;
	near.used = false;
}

bool near_return(void)
{
	near.nlent = 0;
	return near.used;
}

/* Whether `path` leads below the directory `dir`: then *path becomes the rest of it. */
static bool is_below(const char **path, const char *dir, size_t len)
{
	if (strncmp(*path, dir, len) != 0 || (*path)[len] != '/' || !(*path)[len + 1])
		return false;
	*path += len + 1;
	return true;
}

bool near_is_for(int dirfd)
{
	return near.dirfd >= 0 && near.dirfd == dirfd;
}

int near_from(int dirfd, const char **path)
{
	if (near.dirfd != dirfd || dirfd < 0)
		return dirfd;
	for (size_t i = 0; i < near.nlent; i++)
		if (is_below(path, near.lent[i].path, strlen(near.lent[i].path))) {
			near.used = true;
			return near.lent[i].fd;
		}
	for (size_t i = 0; i < near.count; i++)
		if (is_below(path, near.kept[i].path, near.kept[i].len))
			return near.kept[i].fd;
	return dirfd;
}
