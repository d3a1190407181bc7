/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_H
#define BERTH_CARE_MOUNTS_H

/*
 * mounts: what a file system does of what berth needs, tried on one mount, or on two that stand for two machines
 * (doc/MACHINES.md, "berth probe").
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"

enum mounts_verdict {
	MOUNTS_INFO,            /* a figure, or a fact that berth copes with */
	MOUNTS_OK,
	MOUNTS_STALE,           /* caches are too old */
	MOUNTS_UNFIT            /* no store of several machines can be here */
};

struct mounts_result {
	const char *name;       /* what was tried; static */
	enum mounts_verdict verdict;
	int64_t usec;           /* a duration, or -1 */
	const char *text;       /* for people; borrowed until the call returns */
};

struct mounts_options {
	const char *dir;
	const char *other;      /* the same directory by another mount, or NULL */
	char *const *with;      /* or the command that leads to `berth probe --follow` on another machine; NULL: none */
	pid_t client;           /* the process of that mount, on that machine, to be killed; 0: none */
	void (*tell)(void *arg, const struct mounts_result *r);
	void *arg;
};

/*
 * mounts_try - try everything in a new directory below dir, which is removed afterwards, and tell each result
 * worst  the worst of the verdicts, MOUNTS_OK at least
 * Returns 0, or -1 with *e if the directories cannot be used at all.
 */
int mounts_try(const struct mounts_options *o, enum mounts_verdict *worst, struct err *e);

/*
 * mounts_follow - be the other machine: do in dir what the orders from `in` say, and answer to `out`, until `in` ends
 * Who gives them may do nothing but in directories of the name that mounts_try() gives, and kill the process of a client.
 * Returns 0, or -1 if the answers cannot be written.
 */
int mounts_follow(const char *dir, int in, int out);

#endif
