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
#include "base/str.h"

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
 * text   what that means, and what helps: one line for people
 * Returns 0, or -1 with *e if it could not be tried to the end: a directory cannot be used, a call failed for a reason that says nothing of what
 * the file system can do (no space, no right), the other machine does not answer, or this process was asked to end (os/process.h).
 */
int mounts_try(const struct mounts_options *o, enum mounts_verdict *worst, struct str *text, struct err *e);

/*
 * mounts_watch - call work() in a process of its own, and end that one when a file system has not answered it for too long
 * Returns the status that work() returned, or -1 with *e. A signal that asks this process to end is passed on, and ends it after that one.
 */
int mounts_watch(int (*work)(void *arg), void *arg, struct err *e);

/*
 * mounts_follow - be the other machine: do in dir what the orders from `in` say, and answer to `out`, until it is told to leave
 * Who gives them may do nothing but in directories of the name that mounts_try() gives, and kill the process of that file system's client. If
 * `in` ends or is silent before the order to leave, the directory is removed as well, since nobody else may be there to do it.
 * Returns 0, or -1 if it was not told to leave.
 */
int mounts_follow(const char *dir, int in, int out);

#endif
