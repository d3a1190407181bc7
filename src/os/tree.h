/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_TREE_H
#define BERTH_OS_TREE_H

/*
 * tree: directories made and removed, with those above and below them.
 *
 * As in os/file.h all is relative to a directory descriptor, and the functions return -1 with errno.
 */

/*
 * os_mkdirs - make a directory and those above it that are missing
 * Another process that makes the same at the same time is no error.
 */
int os_mkdirs(int dirfd, const char *path);

/* os_remove_tree - remove a file or a directory with all in it; what is already gone is no error; links are not followed */
int os_remove_tree(int dirfd, const char *path);

#endif
