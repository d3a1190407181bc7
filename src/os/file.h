/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_FILE_H
#define BERTH_OS_FILE_H

/*
 * file: whole reads and writes, and flushes.
 *
 * All paths are relative to a directory descriptor. On errors these functions return -1 with errno; they do not know the
 * purpose of the file, so the caller adds it to the error message. They repeat calls that a signal interrupted, and never
 * return EINTR.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/str.h"

void os_cleanup_fd(int *fd);
#define cleanup_fd __attribute__((cleanup(os_cleanup_fd)))

/* os_open - openat(2) with O_CLOEXEC and O_NOCTTY; a descriptor that the caller owns */
int os_open(int dirfd, const char *path, int flags, mode_t mode);

/*
 * os_open_file - os_open for a path that must be a regular file: follows no link, and never blocks, whatever the path is
 * EUCLEAN if open(2) itself shows that it is not a regular file. A FIFO, a device or (for reading) a directory opens: the
 * caller checks S_ISREG in the fstat(2) that it needs anyway. Reading a FIFO returns at once: its end, or EAGAIN.
 */
int os_open_file(int dirfd, const char *path, int flags, mode_t mode);

/*
 * os_open_look - open a file as os_open_file does, or with O_DIRECTORY as os_open does, and look at it with fstat(2). One that it makes has mode 0666
 * Both again if it has become stale in between (os/again.h). A descriptor that the caller owns, or -1 with errno.
 */
int os_open_look(int dirfd, const char *path, int flags, struct stat *sb);

/*
 * os_gone - whether this errno means that the file or directory does not exist
 * So does ELOOP, for links in a circle. ESTALE does not: a name that is gone is ENOENT when it is looked up again (os/again.h), and what
 * stays stale says nothing of what is there.
 */
bool os_gone(int err);

/*
 * os_age - the modification time of a path (seconds since the epoch), and its size, 0 if it is not a regular file
 * Returns 0, or -1 with errno. It follows no link. A network file system asks its server, as for an open (statx(2),
 * AT_STATX_FORCE_SYNC).
 */
int os_age(int dirfd, const char *path, int64_t *when, uint64_t *size);

/* What a name leads to, as far as looking the name up tells. */
struct os_entry {
	mode_t mode;
	uint64_t size;          /* bytes; 0 if it is not a regular file */
	uint64_t number;        /* of the inode */
};

/*
 * os_entry - look a name up; it follows no link. "" is the open file itself, as opening it has found it
 * A network file system is asked for the name alone, and answers with what is in *out: for files that do not change (AT_STATX_DONT_SYNC).
 * Returns 0, or -1 with errno.
 */
int os_entry(int dirfd, const char *path, struct os_entry *out);

/* os_read_full - read len bytes, or as many as there are; the number of bytes, or -1 */
ssize_t os_read_full(int fd, void *buf, size_t len);
int os_write_full(int fd, const void *buf, size_t len);

/*
 * os_read_file - the content of a small file, opened as by os_open_file; a FIFO is empty
 * Returns its length, at most cap; cap + 1 if it is longer; -1 on errors, with EUCLEAN if it is not a file. buf is not
 * NUL-terminated.
 */
ssize_t os_read_file(int dirfd, const char *path, void *buf, size_t cap);

/*
 * os_read_str - add up to `size` bytes of an open file to a buffer, fewer if the file is shorter
 * The caller bounds the size. Returns 0, or -1 with errno.
 */
int os_read_str(int fd, uint64_t size, struct str *out);

/* os_overwrite - replace the content of an open file in place, without a flush; 0, or -1 with errno */
int os_overwrite(int fd, const void *buf, size_t len);

/* os_write_file - create a file, which must not exist, with this content; `flush`: and flush it */
int os_write_file(int dirfd, const char *path, const void *buf, size_t len, bool flush);

int os_fsync(int fd);
int os_fsync_dir(int dirfd, const char *path);

/*
 * os_write_out - write the bytes of a file to the disk, and wait for that; sync_file_range(2)
 * No name, and not the disk's cache. On an ordered file system (os/fs.h) the bytes are durable when any later change is.
 */
int os_write_out(int fd);

/*
 * os_fsync_above - flush the directories above path, the nearest first
 * count  how many; 1 flushes only the directory that contains path
 */
int os_fsync_above(int dirfd, const char *path, unsigned count);

/*
 * os_append - append [off, off+len) of src to dst, which is dst_size bytes long
 * It uses copy_file_range(2), which lets a file system share or copy the blocks itself, or read and write where that is not
 * supported. On failure it truncates dst to dst_size.
 */
int os_append(int dst, uint64_t dst_size, int src, uint64_t off, uint64_t len);

/* os_random - len random bytes; cannot fail, because every supported kernel has getrandom(2) */
void os_random(void *buf, size_t len);

#endif
