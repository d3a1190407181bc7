/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_TREE_H
#define BERTH_OS_TREE_H

/*
 * tree: makes directories with those above them, and removes directories with all that is below them.
 *
 * As in os/file.h, paths are relative to a directory descriptor, and the functions return -1 with errno.
 */

/*
 * os_mkdirs - make a directory and those above it that are missing
 * It is not an error if another process makes the same directories at the same time.
 */
int os_mkdirs(int dirfd, const char *path);

/* os_mkdir_once - make a directory, unless the name is taken: 0 in both cases, or -1 */
int os_mkdir_once(int dirfd, const char *path);

/* os_remove_tree - remove a file, or a directory with all that is in it; it may be missing already; follows no links */
int os_remove_tree(int dirfd, const char *path);

#endif
