/* SPDX-License-Identifier: Apache-2.0 */
/*
 * near: directories that are kept open.
 *
 * Owns the descriptors, for one directory at a time.
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

int near_from(int dirfd, const char **path)
{
	if (near.dirfd != dirfd || dirfd < 0)
		return dirfd;
	for (size_t i = 0; i < near.count; i++) {
		size_t len = near.kept[i].len;

		if (strncmp(*path, near.kept[i].path, len) == 0 && (*path)[len] == '/' && (*path)[len + 1]) {
			*path += len + 1;
			return near.kept[i].fd;
		}
	}
	return dirfd;
}
