/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_DIR_H
#define BERTH_OS_DIR_H

/* dir: the names in a directory, as a list. */

#include <stddef.h>

struct names {
	char **v;               /* owned; each is NUL-terminated */
	size_t count, cap;
};

#define NAMES_INIT { 0 }

void names_release(struct names *n);
#define cleanup_names __attribute__((cleanup(names_release)))
void names_add(struct names *n, const char *s, size_t len);
void names_drop(struct names *n, size_t count); /* removes the first `count` */
void names_sort(struct names *n);               /* byte order */

enum dir_filter { DIR_ALL, DIR_DIRS };          /* all but "." and ".."; or only directories and links to them */

/*
 * os_dir_read - add the names in an open directory, from its start and in no order
 * os_dir_list - the same by path, sorted
 * os_dir_page - add the first `max` names (1 or more) that are greater than `after`, sorted; out is empty before the call and
 *               never holds more than twice as many
 * os_dir_each - visit each name, in no order, without a list; a name is borrowed until the visitor returns
 *
 * Each returns 0, or -1 with errno (ENOENT or ENOTDIR if there is no such directory; ESTALE: another machine has removed or replaced the
 * directory, perhaps in the middle: the names are no list; only os_dir_read has to be told by opening it again). An entry that is
 * removed meanwhile may be missing.
 */
int os_dir_read(int fd, enum dir_filter filter, struct names *out);
int os_dir_list(int dirfd, const char *path, enum dir_filter filter, struct names *out);
int os_dir_page(int dirfd, const char *path, const char *after, size_t max, struct names *out);

typedef void dir_visit(void *arg, const char *name, size_t len);
int os_dir_each(int dirfd, const char *path, enum dir_filter filter, dir_visit *visit, void *arg);

#endif
