/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_FILE_H
#define BERTH_OS_FILE_H

/*
 * file: whole reads and writes, and directories flushed.
 *
 * Everything is relative to a directory descriptor. These functions set errno and return -1; they do not know what
 * the file is for, so the caller says that in its error. EINTR is never seen outside: calls are made again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/str.h"

void os_cleanup_fd(int *fd);
#define cleanup_fd __attribute__((cleanup(os_cleanup_fd)))

/* os_open - openat(2) with O_CLOEXEC | O_NOCTTY added; a descriptor that the caller owns */
int os_open(int dirfd, const char *path, int flags, mode_t mode);

/*
 * os_open_file - os_open of what has to be a regular file: no link is followed, and whatever lies there keeps nobody waiting
 * EUCLEAN where it is seen at once that it is something else. A FIFO, a device or (to read) a directory opens: the caller asks
 * S_ISREG of the fstat(2) that it needs anyway. Reading a FIFO ends at once, or fails with EAGAIN.
 */
int os_open_file(int dirfd, const char *path, int flags, mode_t mode);

/*
 * os_gone - whether this errno says that there is no such file or directory
 * ESTALE among them: what a network file system says of what was removed between look-up and use; and ELOOP: links
 * that lead in circles lead nowhere.
 */
bool os_gone(int err);

/*
 * os_age - when what lies at the path was last changed (seconds since the epoch), and its size, 0 where it is no regular file;
 *          0, or -1 with errno
 * One call, and as fresh as an open: a network file system asks its server (statx(2), AT_STATX_FORCE_SYNC).
 */
int os_age(int dirfd, const char *path, int64_t *when, uint64_t *size);

/* os_read_full - read until len bytes or the end; the number read, or -1 */
ssize_t os_read_full(int fd, void *buf, size_t len);
int os_write_full(int fd, const void *buf, size_t len);

/*
 * os_read_file - the content of a small file, opened as by os_open_file; a FIFO is empty
 * Returns its length, at most cap; cap + 1 where it is longer; -1 on errors: ENOENT among them, and EUCLEAN for what is no file.
 * Not NUL-terminated.
 */
ssize_t os_read_file(int dirfd, const char *path, void *buf, size_t cap);

/*
 * os_read_str - add up to `size` bytes of an open file to a buffer: what is there, if it is shorter
 * The caller has bounded the size. 0, or -1 with errno.
 */
int os_read_str(int fd, uint64_t size, struct str *out);

/* os_overwrite - an open file holds these bytes and no others: in place, not flushed. 0, or -1 with errno */
int os_overwrite(int fd, const void *buf, size_t len);

/* os_write_file - make a new file (it must not exist) with this content; flushed too if `flush` */
int os_write_file(int dirfd, const char *path, const void *buf, size_t len, bool flush);

int os_fsync(int fd);
int os_fsync_dir(int dirfd, const char *path);

/*
 * os_syncfs_reaches - whether syncfs(2) gets as far as fsync(2) of each file and directory
 * Known of the file systems that stores lie on; on FUSE, CIFS and 9p it only hands pages on.
 */
bool os_syncfs_reaches(int fd);

/*
 * os_fsync_above - flush the directories above path, the nearest first
 * count  how many of them; 1 is the one that holds path's own name
 */
int os_fsync_above(int dirfd, const char *path, unsigned count);

/*
 * os_append - add [off, off+len) of src at the end of dst, which is dst_size bytes long
 * By copy_file_range(2), so that a file system which can shares or copies the blocks itself; read and write where it
 * can't. On failure dst is cut back to dst_size.
 */
int os_append(int dst, uint64_t dst_size, int src, uint64_t off, uint64_t len);

/* os_random - len random bytes; cannot fail (getrandom(2) is there on every kernel we run on) */
void os_random(void *buf, size_t len);

#endif
