/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SEATS_H
#define BERTH_OS_SEATS_H

/*
 * seats: a limited number of places, shared by processes that one of them has forked.
 *
 * A place holds the id of the process that has it, so that the parent can free what a killed one has left.
 */

#include <sys/types.h>

struct seats;

/* seats_open - shared memory for those who are forked later, owned; NULL with errno */
struct seats *seats_open(void);
void seats_close(struct seats **s);

/*
 * seats_take  - one of the first `count` places, for this process; -1 where all are taken. At most SEATS_MAX count.
 * seats_leave - give it back
 * seats_free  - a process has ended: what it had is free; s may be NULL
 */
#define SEATS_MAX 512
int seats_take(struct seats *s, unsigned count);
void seats_leave(struct seats *s, int seat);
void seats_free(struct seats *s, pid_t pid);

#endif
