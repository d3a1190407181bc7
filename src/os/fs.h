/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_FS_H
#define BERTH_OS_FS_H

/*
 * fs: what is known of the file system of an open directory, and so which flushes are needed on it.
 *
 * Nothing is tried: a power cut cannot be. What is not known for sure is answered with false, which costs more flushes.
 */

#include <stdbool.h>
#include "base/str.h"

/*
 * fs_syncfs_reaches - whether syncfs(2) makes as much durable as fsync(2) of each file and directory
 * True for the usual local file systems, overlayfs and NFS. On FUSE, CIFS and 9p syncfs(2) only passes pages on.
 */
bool fs_syncfs_reaches(int fd);

/*
 * fs_keeps_names - whether fsync(2) of a directory does nothing there, because a change of a name is on the server when the call returns
 * MooseFS: its client does not pass such an fsync on at all. What a name survives is up to the server's settings.
 */
bool fs_keeps_names(int fd);

/*
 * fs_flushes_by_length - whether fsync(2) flushes only what was written through the same descriptor, but setting the length, to what it is,
 * flushes all. MooseFS's client
 */
bool fs_flushes_by_length(int fd);

/*
 * fs_is_local - whether a power cut that loses changes on it ends every process that has seen them: it belongs to one machine
 * True for file systems on a disk or in memory of this machine, and for FUSE on a block device. Not for virtiofs and 9p, which several
 * guests may share, nor for FUSE otherwise: what is behind it may be shared.
 */
bool fs_is_local(int fd);

/*
 * fs_is_ordered - whether changes of metadata become durable in the order in which they were made, in one journal, and the
 *                 bytes that os_write_out() has written before a change are durable when that is
 *
 * True for ext4 with a journal of its own, and for XFS. A commit of the journal makes the disk write its cache first. So it
 * is false if the journal, or the bytes of files, are on another device, and if a commit does not wait for the cache
 * (journal_async_commit). ext4 without a journal has the same magic number: /proc/fs/jbd2 tells the two apart.
 */
bool fs_is_ordered(int fd);

/*
 * fs_counts_directories - whether the number of links of a directory is that of its subdirectories and two more, or 1 where it is
 *                         not known: ext4, XFS, F2FS and tmpfs. (On Btrfs it is always 1.)
 */
bool fs_counts_directories(int fd);

/* fs_lacks_journal - whether it is known to be an ext4 without any journal: a rename is not one step there */
bool fs_lacks_journal(int fd);

/*
 * fs_describe - the type of the file system that an open file or directory lies on, and its mount options, as /proc/self/mountinfo has them
 * Where it is FUSE and the source says which, the type says so: "fuse.mfs". Returns 0, or -1 if the mount cannot be found.
 */
int fs_describe(int fd, struct str *type, struct str *options);

/*
 * fs_line_has - the part of fs_is_ordered() that reads a line of /proc/self/mountinfo: whether it is about this device, an ext4
 *               or an XFS, and has no option that breaks the order. Its own function for the sake of tests
 */
bool fs_line_has(const char *line, unsigned major, unsigned minor);

#endif
