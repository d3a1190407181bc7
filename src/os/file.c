/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file: system calls on files, repeated until they have done all of their work.
 *
 * Owns no state. Does not know blobs, links or repositories.
 */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/again.h"
#include "os/near.h"

#define COPY_BUFFER (256 * 1024)

void os_cleanup_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

int os_open(int dirfd, const char *path, int flags, mode_t mode)
{
	unsigned tries = 0;
	int fd;

	dirfd = near_from(dirfd, &path);
	do
		fd = openat(dirfd, path, flags | O_CLOEXEC | O_NOCTTY, mode);
	while (fd < 0 && (errno == EINTR || os_again(errno, &tries)));
	return fd;
}

int os_open_file(int dirfd, const char *path, int flags, mode_t mode)
{
	int fd = os_open(dirfd, path, flags | O_NOFOLLOW | O_NONBLOCK, mode);

	/* ELOOP: a link. EISDIR: a directory, for writing. ENXIO: a socket, or a FIFO without a reader, for writing. ENODEV: no such device. */
	if (fd < 0 && (errno == ELOOP || errno == EISDIR || errno == ENXIO || errno == ENODEV))
		errno = EUCLEAN;
	return fd;
}

int os_open_look(int dirfd, const char *path, int flags, struct stat *sb)
{
	unsigned tries = 0;
	int fd;

	do {
		fd = flags & O_DIRECTORY ? os_open(dirfd, path, flags, 0) : os_open_file(dirfd, path, flags, 0666);
		if (fd < 0 || fstat(fd, sb) == 0)
			return fd;
		os_cleanup_fd(&fd);
	} while (os_again(errno, &tries));
	return -1;
}

bool os_gone(int err)
{
	return err == ENOENT || err == ENOTDIR || err == ELOOP;
}

int os_age(int dirfd, const char *path, int64_t *when, uint64_t *size)
{
	struct statx sx;

	*when = 0;
	*size = 0;
	if (os_statx(dirfd, path, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MTIME | STATX_SIZE, &sx) < 0)
		return -1;
	*when = (int64_t)sx.stx_mtime.tv_sec;
	*size = S_ISREG(sx.stx_mode) ? sx.stx_size : 0;
	return 0;
}

int os_entry(int dirfd, const char *path, struct os_entry *out)
{
	struct statx sx;

	*out = (struct os_entry){ 0 };
	if (os_statx(dirfd, path, AT_STATX_DONT_SYNC | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, STATX_TYPE | STATX_INO | STATX_SIZE, &sx) < 0)
		return -1;
	*out = (struct os_entry){ .mode = sx.stx_mode, .size = S_ISREG(sx.stx_mode) ? sx.stx_size : 0, .number = sx.stx_ino };
	return 0;
}

ssize_t os_read_full(int fd, void *buf, size_t len)
{
	unsigned tries = 0;
	size_t have = 0;

	while (have < len) {
		ssize_t n = read(fd, (char *)buf + have, len - have);

		if (n < 0 && (errno == EINTR || os_again(errno, &tries)))
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	return (ssize_t)have;
}

int os_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		done += (size_t)n;
	}
	return 0;
}

static ssize_t read_once(int dirfd, const char *path, void *buf, size_t cap)
{
	cleanup_fd int fd = os_open_file(dirfd, path, O_RDONLY, 0);
	ssize_t n, more = 0;
	char byte;

	if (fd < 0)
		return -1;
	n = os_read_full(fd, buf, cap);
	if (n >= 0 && (size_t)n == cap)
		more = os_read_full(fd, &byte, 1);
	if (n >= 0 && more >= 0)
		return n + more;
	if (errno == EISDIR || errno == EAGAIN)
		errno = EUCLEAN;
	return -1;
}

ssize_t os_read_file(int dirfd, const char *path, void *buf, size_t cap)
{
	unsigned tries = 0;
	ssize_t n;

	do
		n = read_once(dirfd, path, buf, cap);
	while (n < 0 && os_again(errno, &tries));
	return n;
}

int os_read_str(int fd, uint64_t size, struct str *out)
{
	char *room = size ? str_room(out, (size_t)size) : NULL;
	ssize_t n = room ? os_read_full(fd, room, (size_t)size) : 0;

	if (n < 0)
		return -1;
	if (room)
		str_grown(out, (size_t)n);
	return 0;
}

int os_write_file(int dirfd, const char *path, const void *buf, size_t len, bool flush)
{
	cleanup_fd int fd = os_open(dirfd, path, O_WRONLY | O_CREAT | O_EXCL, 0666);

	if (fd < 0)
		return -1;
	if (os_write_full(fd, buf, len) < 0)
		return -1;
	return flush ? os_fsync(fd) : 0;
}

int os_fsync(int fd)
{
	int rc;

	do
		rc = fsync(fd);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int os_fsync_dir(int dirfd, const char *path)
{
	cleanup_fd int fd = os_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0);

	return fd < 0 ? -1 : os_fsync(fd);
}

int os_write_out(int fd)
{
	int rc;

	do
		rc = sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
	while (rc < 0 && errno == EINTR);
	return rc;
}

int os_fsync_above(int dirfd, const char *path, unsigned count)
{
	cleanup_str struct str p = STR_INIT;

	str_puts(&p, path);
	while (count-- > 0) {
		char *slash = strrchr(p.buf, '/');

		if (!slash)
			return os_fsync_dir(dirfd, ".");
		*slash = '\0';
		if (os_fsync_dir(dirfd, p.buf) < 0)
			return -1;
	}
	return 0;
}

int os_overwrite(int fd, const void *buf, size_t len)
{
	size_t done = 0;
	int rc;

	while (done < len) {
		ssize_t n = pwrite(fd, (const char *)buf + done, len - done, (off_t)done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return -1;
	}
	do
		rc = ftruncate(fd, (off_t)len);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* For what copy_file_range(2) does not support: two file systems, an old kernel, some network file systems. */
static int append_by_copy(int dst, off_t to, int src, off_t from, uint64_t len)
{
	static char buf[COPY_BUFFER];

	while (len > 0) {
		ssize_t n = pread(src, buf, len < sizeof(buf) ? (size_t)len : sizeof(buf), from), done = 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			if (n == 0)
				errno = EIO;    /* the source is shorter than the caller said */
			return -1;
		}
		while (done < n) {
			ssize_t w = pwrite(dst, buf + done, (size_t)(n - done), to + done);

			if (w < 0 && errno == EINTR)
				continue;
			if (w < 0)
				return -1;
			done += w;
		}
		from += n;
		to += n;
		len -= (uint64_t)n;
	}
	return 0;
}

int os_append(int dst, uint64_t dst_size, int src, uint64_t off, uint64_t len)
{
	off_t from = (off_t)off, to = (off_t)dst_size;
	int saved, rc;

	while (len > 0) {
		ssize_t n = copy_file_range(src, &from, dst, &to, len < (1u << 30) ? (size_t)len : (1u << 30), 0);

		if (n > 0) {
			len -= (uint64_t)n;
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
			if (append_by_copy(dst, to, src, from, len) == 0)
				return 0;
		}
		saved = errno;
		rc = ftruncate(dst, (off_t)dst_size);
		(void)rc;               /* the first error is the one to report */
		errno = saved;
		return -1;
	}
	return 0;
}

void os_random(void *buf, size_t len)
{
	size_t have = 0;

	while (have < len) {
		ssize_t n = getrandom((char *)buf + have, len - have, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			abort();        /* the kernel lacks the call, or the pointer is bad */
		have += (size_t)n;
	}
}
