/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_LINE_H
#define BERTH_CARE_MOUNTS_LINE_H

/* mounts_line: lines and words between the two machines on which a file system is tried. */

#include <stddef.h>
#include <sys/stat.h>
#include "base/str.h"

#define MOUNTS_HELLO "berth-probe 1"    /* the first line of who follows */

/* mounts_read_line - without its newline; ms: -1 waits as long as it takes. 0, or -1 with errno */
int mounts_read_line(int fd, int ms, struct str *line);

/* mounts_words - the words of a line, which is changed: how many, 0 if there are more than `most` */
size_t mounts_words(char *line, char *words[], size_t most);

/* mounts_add_machine - a word that no other mount has, on whatever machine */
void mounts_add_machine(struct str *out, const struct stat *sb);

#endif
