/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_AGAIN_H
#define BERTH_OS_AGAIN_H

/*
 * again: system calls on names, made again where what the name meant is stale.
 *
 * A network file system says ESTALE if another machine has replaced or removed a file or directory that this one remembers. It means
 * "look again", and the kernel itself does so once. The code of a store uses these instead of the calls of the same names, and
 * os_open() of os/file.h, which does the same. What still is ESTALE after that is an error, and not absent.
 *
 * An open file that is stale has to be opened again by its name: os_read_file(), os_open_look() and the lists of os/dir.h do. os_fstat() only asks
 * once more: it is for a file that has no name, or whose name would lead to another one, such as a body, a lock, an upload.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

/*
 * os_again - whether a call that has failed with this errno is to be made again, at the latest look after a pause
 * tries  counts, from 0
 */
bool os_again(int error, unsigned *tries);

/* As fstatat(2) and so on; errno is that of the last try. */
int os_fstatat(int dirfd, const char *path, struct stat *sb, int flags);
int os_fstat(int fd, struct stat *sb);
int os_statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *sx);
int os_faccessat(int dirfd, const char *path, int mode, int flags);
int os_mkdirat(int dirfd, const char *path, mode_t mode);
int os_linkat(int olddir, const char *old, int newdir, const char *new, int flags);
/*
 * Of the two names one is nobody else's, such as a file of berth/tmp/ or a place in the trash. So a rename that was stale, and then finds that
 * the old name is gone and the new one is there, has been done. An exchange (RENAME_EXCHANGE) is not made again: it would be undone.
 */
int os_renameat(int olddir, const char *old, int newdir, const char *new);
int os_renameat2(int olddir, const char *old, int newdir, const char *new, unsigned flags);
int os_unlinkat(int dirfd, const char *path, int flags);
int os_utimensat(int dirfd, const char *path, const struct timespec times[2], int flags);

#endif
