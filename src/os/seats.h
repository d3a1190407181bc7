/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SEATS_H
#define BERTH_OS_SEATS_H

/*
 * seats: a limited number of places, shared by a process and those that it forks.
 *
 * A place contains the id of its process, so that the parent can free the place of a child that was killed.
 */

#include <sys/types.h>

struct seats;

/* seats_open - places for this process and those that it forks later, owned; NULL with errno */
struct seats *seats_open(void);
void seats_close(struct seats **s);

/*
 * seats_take  - occupy one of the first `count` places, at most SEATS_MAX; its number, or -1 if all are occupied
 * seats_leave - free a place of this process
 * seats_free  - free all places of a process that has ended; s may be NULL
 */
#define SEATS_MAX 512
int seats_take(struct seats *s, unsigned count);
void seats_leave(struct seats *s, int seat);
void seats_free(struct seats *s, pid_t pid);

#endif
