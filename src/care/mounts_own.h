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
#define MOUNTS_ANSWER_MS 60000          /* within which an order is answered; longer than any takes */
#define MOUNTS_ORDER_MS 180000          /* within which the next order comes */
#define MOUNTS_SILENT_MS 90000          /* within which a call of a file system answers */

/* A mount: its name for people, its type and options, as far as they are known (os/fs.h, fs_describe). */
struct mounts_mount {
	struct str name, type, options;
};

struct mounts {
	const struct mounts_options *o;
	int a;                  /* the new directory, through this mount */
	int b;                  /* the socket to who follows orders on the other one; -1: nobody */
	pid_t peer;
	enum mounts_verdict worst;
	struct str because;     /* the names of the results with that verdict */
	bool caches, clocks, sessions;  /* what is stale */
	bool one, none;         /* what one machine needs is tried now; it is not there */
	struct mounts_mount mounts[2];
	struct err *e;          /* set once something failed that says nothing of the file system */
	bool over;              /* then nothing more is tried */
};

/* mounts_say - tell one result */
void mounts_say(struct mounts *m, const char *name, enum mounts_verdict verdict, int64_t usec, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/*
 * mounts_failed - a call failed, with errno: unfit if the file system cannot do it; else *e says so, with a remedy, and all is over
 * mounts_over   - whether nothing more is to be tried, because of that or because this process was asked to end
 * mounts_remedy - what the operator can do about this errno; NULL: nothing, the file system cannot do it
 */
void mounts_failed(struct mounts *m, const char *name, const char *call);
bool mounts_over(struct mounts *m);
const char *mounts_remedy(int error);

/*
 * For who watches this process (mounts_watch.c):
 * mounts_alive     - it goes on
 * mounts_unwatched - from now on it is not watched, as one that it has forked
 */
void mounts_alive(void);
void mounts_unwatched(void);

/*
 * mounts_serves - whether a process is the client of the file system, by FUSE, of an open directory (mounts_serves.c)
 * Returns 0, or -1 with errno: ESRCH no such process, EXDEV it serves something else, EOPNOTSUPP no process is behind that file system.
 */
int mounts_serves(pid_t pid, int dirfd);

/* mounts_judge (mounts_advice.c) - add the line at the end: what the results mean, and what helps */
void mounts_judge(const struct mounts *m, struct str *out);

/*
 * The other machine (mounts_ask.c).
 * mounts_meet - start who follows, and hear that it is there; mounts_part - tell it to leave, and let it end
 * mounts_ask  - give an order, and wait for what comes of it: 0, or -1 with errno; value: the number that it says, or NULL
 * mounts_tell, mounts_hear - the two parts of that; said: the whole text, also of a failure
 * EPIPE: it does not answer any more, EPROTO: it answers with something else; no order is given to it from then on.
 */
int mounts_meet(struct mounts *m, struct err *e);
void mounts_part(struct mounts *m);
int mounts_ask(struct mounts *m, uint64_t *value, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int mounts_tell(struct mounts *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int mounts_hear(struct mounts *m, struct str *said);

/* Each tries one kind of thing, and tells. */
void mounts_alone(struct mounts *m);            /* mounts_alone.c: what one machine needs */
void mounts_clocks(struct mounts *m);           /* what two machines' clocks differ by */
void mounts_locks(struct mounts *m);            /* mounts_locks.c */
void mounts_handover(struct mounts *m);
void mounts_winners(struct mounts *m);          /* mounts_race.c */
void mounts_ages(struct mounts *m);             /* mounts_ages.c */
void mounts_open_files(struct mounts *m);
void mounts_client(struct mounts *m);           /* mounts_client.c: kills the second mount: the last one */

/* mounts_client_known - whether the process that is to be killed is the client of the second mount; 0, or -1 with *e */
int mounts_client_known(struct mounts *m, struct err *e);

#endif
