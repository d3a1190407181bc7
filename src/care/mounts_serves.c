/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mounts_serves: which process is behind a file system by FUSE.
 *
 * Owns no state. A process whose number somebody has mistyped must not be killed.
 */
#include "care/mounts_own.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/fs.h"

/* The number of the connection that an open /dev/fuse belongs to, which is the minor number of the file system's device; -1: not said. */
static long connection(int fds, const char *fd)
{
	static const char key[] = "fuse_connection:";
	cleanup_str struct str path = STR_INIT;
	char text[1025], *at;
	ssize_t n;

	str_addf(&path, "../fdinfo/%s", fd);
	n = os_read_file(fds, path.buf, text, sizeof(text) - 1);
	text[n > 0 && n < (ssize_t)sizeof(text) ? n : 0] = '\0';
	at = strstr(text, key);
	return at ? strtol(at + sizeof(key) - 1, NULL, 10) : -1;
}

static bool is_fuse(int fds, const char *fd)
{
	static const char device[] = "/dev/fuse";
	char target[sizeof(device)];
	ssize_t n = readlinkat(fds, fd, target, sizeof(target));

	return n == sizeof(device) - 1 && memcmp(target, device, (size_t)n) == 0;
}

/* Kernels before 6.11 do not say which connection it is. Then the name has to fit: mfsmount for fuse.mfs, glusterfs for fuse.glusterfs. */
static bool has_fitting_name(pid_t pid, const char *type)
{
	cleanup_str struct str path = STR_INIT;
	const char *kind = strchr(type, '.');
	char name[32];
	ssize_t n;

	str_addf(&path, "/proc/%d/comm", (int)pid);
	n = os_read_file(AT_FDCWD, path.buf, name, sizeof(name) - 1);
	name[n > 0 && n < (ssize_t)sizeof(name) ? n - 1 : 0] = '\0';
	return *name && kind && strncmp(name, kind + 1, strlen(kind + 1)) == 0;
}

int mounts_serves(pid_t pid, int dirfd)
{
	cleanup_str struct str path = STR_INIT, type = STR_INIT, options = STR_INIT;
	cleanup_names struct names names = NAMES_INIT;
	cleanup_fd int fds = -1;
	bool serves = false;
	struct stat sb;
	size_t i;

	if (fstat(dirfd, &sb) < 0)
		return -1;
	if (fs_describe(dirfd, &type, &options) < 0 || strncmp(type.buf, "fuse", 4) != 0) {
		errno = EOPNOTSUPP;
		return -1;
	}
	str_addf(&path, "/proc/%d/fd", (int)pid);
	fds = os_open(AT_FDCWD, path.buf, O_RDONLY | O_DIRECTORY, 0);
	if (fds < 0 && errno == ENOENT)
		errno = ESRCH;
	if (fds < 0 || os_dir_read(fds, DIR_ALL, &names) < 0)
		return -1;
	for (i = 0; i < names.count && !serves; i++) {
		long number = is_fuse(fds, names.v[i]) ? connection(fds, names.v[i]) : -2;

		serves = number == -1 ? has_fitting_name(pid, type.buf) : number == (long)minor(sb.st_dev);
	}
	errno = EXDEV;
	return serves ? 0 : -1;
}
