/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_MACHINES_OWN_H
#define BERTH_STORE_MACHINES_OWN_H

/* Private to src/store/machines*.c: files that masters have left. */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "os/dir.h"
#include "store/beat.h"
#include "store/machines.h"

/* machines_read - what is in such a file, filled up with zeroes: its length, or -1 with errno */
ssize_t machines_read(int dirfd, const char *path, char text[BEAT_MAX]);

bool machines_same(const struct stat *a, const struct stat *b);         /* one file */

/* machines_remove - remove a file if nobody has its lock, and it is the same still and has this number; whether it did */
bool machines_remove(const struct machine *m, const char *name, const char before[BEAT_MAX]);

/* The file that a master is looking at while it serves: one at a time, in the order of their names. */
struct machine_left {
	char name[MACHINES_NAME + 1];
	char before[BEAT_MAX];
	unsigned looks;                 /* that found the same number; 0: it is done with this one */
};

/*
 * machines_look - look at one of these files, and remove it if its machine is gone (doc/MACHINES.md, "At the start"): with each beat
 * names  sorted
 */
void machines_look(const struct machine *m, const struct names *names, struct machine_left *left);

#endif
