/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_CARE_MOUNTS_OWN_H
#define BERTH_CARE_MOUNTS_OWN_H

/* Private to src/care/mounts*.c. */

#include "care/mounts.h"

struct mounts {
	const struct mounts_options *o;
	int a, b;               /* the new directory, through each mount; b is -1 without a second one */
	enum mounts_verdict worst;
};

/* mounts_say - tell one result */
void mounts_say(struct mounts *m, const char *name, enum mounts_verdict verdict, int64_t usec, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* mounts_failed - tell that a call failed, with errno: unfit */
void mounts_failed(struct mounts *m, const char *name, const char *call);

/* Each tries one kind of thing on both mounts, and tells. */
void mounts_locks(struct mounts *m);            /* mounts_locks.c */
void mounts_handover(struct mounts *m);
void mounts_winners(struct mounts *m);
void mounts_client(struct mounts *m);           /* kills the second mount: the last one */
void mounts_ages(struct mounts *m);             /* mounts_ages.c */
void mounts_open_files(struct mounts *m);

#endif
