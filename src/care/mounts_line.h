/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_LINE_H
#define BERTH_CARE_MOUNTS_LINE_H

/* mounts_line: lines and words between the two machines on which a file system is tried. */

#include <stddef.h>
#include <sys/stat.h>
#include "base/str.h"

#define MOUNTS_HELLO "berth-probe 2"    /* the first line of who follows */

/*
 * mounts_read_line - a whole line within ms, without its newline; a byte that is not ASCII is a question mark
 * 0, or -1 with errno: EPIPE at the end, ETIMEDOUT, EINTR if this process was asked to end, EPROTO if it is longer than a line may be or has
 * control characters.
 */
int mounts_read_line(int fd, unsigned ms, struct str *line);

/* mounts_words - the words of a line, which is changed: how many, 0 if there are more than `most` */
size_t mounts_words(char *line, char *words[], size_t most);

/* mounts_add_machine - a word that no other mount has, on whatever machine */
void mounts_add_machine(struct str *out, const struct stat *sb);

#endif
