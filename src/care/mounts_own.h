/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_OWN_H
#define BERTH_CARE_MOUNTS_OWN_H

/* Private to src/care/mounts*.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/str.h"
#include "care/mounts.h"

#define MOUNTS_PREFIX "berth-probe-"    /* of the directory in which things are tried */
#define MOUNTS_NEVER UINT64_C(30000000) /* microseconds after which a change counts as never seen */
#define MOUNTS_OPEN_FILE (256 * 1024)

struct mounts {
	const struct mounts_options *o;
	int a;                  /* the new directory, through this mount */
	int b;                  /* the socket to who follows orders on the other one; -1: nobody */
	pid_t peer;
	enum mounts_verdict worst;
};

/* mounts_say - tell one result */
void mounts_say(struct mounts *m, const char *name, enum mounts_verdict verdict, int64_t usec, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* mounts_failed - tell that a call failed, with errno: unfit */
void mounts_failed(struct mounts *m, const char *name, const char *call);

/*
 * The other machine (mounts_follow.c).
 * mounts_meet - start who follows, and hear that it is there; mounts_part - let it end
 * mounts_ask  - give an order, and wait for what comes of it: 0, or -1 with errno; value: the number that it says, or NULL
 * mounts_tell, mounts_hear - the two parts of that; said: the whole text
 * EPIPE: it does not answer any more, and no order is given to it from then on.
 */
int mounts_meet(struct mounts *m, struct err *e);
void mounts_part(struct mounts *m);
int mounts_ask(struct mounts *m, uint64_t *value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int mounts_tell(struct mounts *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int mounts_hear(struct mounts *m, struct str *said);

/* Each tries one kind of thing on both mounts, and tells. */
void mounts_locks(struct mounts *m);            /* mounts_locks.c */
void mounts_handover(struct mounts *m);
void mounts_winners(struct mounts *m);
void mounts_client(struct mounts *m);           /* kills the second mount: the last one */
void mounts_ages(struct mounts *m);             /* mounts_ages.c */
void mounts_open_files(struct mounts *m);

#endif
