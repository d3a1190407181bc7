/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_UPGRADE_H
#define BERTH_UPGRADE_H

/*
 * upgrade: a new program in the place of a master that serves.
 *
 * The process stays, and with it its children: the workers of the old program serve until those of the new one are
 * ready. What the new program has to know stands in one variable of its environment, BERTH_UPGRADE: which process it is
 * for, the sockets, the workers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/err.h"

#define UPGRADE_POOLS 3

struct upgrade_worker {
	pid_t pid;
	unsigned pool;
	bool told_to_go;
};

struct upgrade {
	int fd[UPGRADE_POOLS], lock_fd[UPGRADE_POOLS];  /* listening sockets, and the locks of their paths; -1: none */
	bool outlived;                                  /* see struct supervisor_options */
	struct upgrade_worker *workers;                 /* owned */
	size_t count;
};

#define UPGRADE_INIT { .fd = { -1, -1, -1 }, .lock_fd = { -1, -1, -1 } }

void upgrade_release(struct upgrade *u);

/*
 * upgrade_taken - what the program before this one in this process has left: 1, 0 this is a start like any other
 * The variable is gone afterwards. One that is no such text, or another process's, is none.
 */
int upgrade_taken(struct upgrade *u);

/*
 * upgrade_check - a process in which the program that argv[0] names now looks whether it could start: argv, and --check
 * in_child  as for errand_begin. Returns the process, which ends with status 0 if it could; -1 with errno.
 */
pid_t upgrade_check(char **argv, void (*in_child)(void *arg), void *arg);

/* upgrade_exec - begin that program in this process, which lets go of nothing in u; returns only where it can't, with *e */
void upgrade_exec(const struct upgrade *u, char **argv, struct err *e);

#endif
