/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_ACT_H
#define BERTH_CARE_MOUNTS_ACT_H

/* mounts_act: what either machine does in the directory in which a file system is tried. Private to src/care/mounts*.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define ACT_PASSED_MS 10000             /* within which a lock that was released is the other one's */
#define ACT_RACES 100
#define ACT_DIR UINT64_MAX              /* the size of a directory */

enum act_look { BY_OPEN, BY_STAT, BY_LIST, ACT_LOOKS };

/* What a look finds: absent, or how long the file is. A list says no length. */
struct act_found {
	bool there;
	uint64_t size;
};

/* act_lock - the lock through this directory: a descriptor that the caller owns, or -1 with errno */
int act_lock(int dirfd, bool exclusive, unsigned ms);

/* act_hold - a process that holds the lock through this directory until act_end(): its id when it has it, or -1 with errno */
pid_t act_hold(int dirfd);
void act_end(pid_t pid);

/* act_replace - give a file other content, by a rename: 0, or -1 with errno; act_contains - whether it has this one */
int act_replace(int dirfd, const char *name, const char *text);
bool act_contains(int dirfd, const char *name, const char *text);

/* act_race - try to be the one who makes each of some names, by open (0), link (1) or mkdir (2): a '1' for each that was made */
void act_race(int dirfd, unsigned how, char won[ACT_RACES + 1]);

struct act_found act_look(int dirfd, const char *name, enum act_look how);

#endif
