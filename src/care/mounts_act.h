/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_ACT_H
#define BERTH_CARE_MOUNTS_ACT_H

/* mounts_act: what either machine does in the directory in which a file system is tried. Private to src/care/mounts*.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACT_PASSED_MS 10000             /* within which a lock that was released is the other one's */
#define ACT_LOCK "lock"
#define ACT_RACES 100
#define ACT_LATER UINT64_C(20000)        /* microseconds by which one of two begins later, at most */
#define ACT_DIR UINT64_MAX              /* the size of a directory */

enum act_look { BY_OPEN, BY_STAT, BY_LIST, ACT_LOOKS };

/* What a look finds: absent, or how long the file is. A list says no length. */
struct act_found {
	bool there;
	uint64_t size;
};

/* act_lock - the lock of this file of the directory: a descriptor that the caller owns, or -1 with errno */
int act_lock(int dirfd, const char *name, bool exclusive, unsigned ms);

/* act_hold - a process that holds ACT_LOCK through this directory until act_end(): its id when it has it, or -1 with errno */
pid_t act_hold(int dirfd);
void act_end(pid_t pid);

/*
 * act_replace  - give a file other content, by a rename: 0, or -1 with errno
 * act_contains - whether it has this one: 1, 0 (also if it is not there, or stays stale), -1 with errno
 * act_links    - how many names it has, 0 as above
 */
int act_replace(int dirfd, const char *name, const char *text);
int act_contains(int dirfd, const char *name, const char *text);
int act_links(int dirfd, const char *name);

/* act_race - after so many microseconds, try to be the one who makes this name, by open (0), link (1) or mkdir (2): 1, 0, or -1 with errno */
int act_race(int dirfd, const char *name, unsigned how, uint64_t usec);

/*
 * act_look  - look for a name: 0, or -1 with errno, which says nothing of what is there. ESTALE: it stays so
 * act_stale - how many looks of this process by open or stat have been made again, since they were stale
 */
int act_look(int dirfd, const char *name, enum act_look how, struct act_found *out);
unsigned act_stale(void);

#endif
