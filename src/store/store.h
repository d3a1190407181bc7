/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_STORE_H
#define BERTH_STORE_STORE_H

/*
 * store: the directory that holds everything, opened (store.md).
 *
 * One struct store belongs to one process: its lock files are opened by that process, after fork, or the locks would
 * exclude nobody. All paths are relative to one directory descriptor and come from store_path.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/str.h"
#include "os/dir.h"

#define STORE_EPOCH_LEN 32      /* hex digits of a random number */

struct seats;

struct store {
	int dirfd;              /* the root */
	bool flush;             /* fsync = "full": a promise is on disk before it is made */
	bool readonly;
	mode_t file_mode;       /* 0666 less the umask, for files that nginx made with 0600 */
	int turnstile_fd;       /* -1 where the file system is read-only */
	int collector_fd;
	uint64_t id;            /* random, so that temporary names of processes and machines never meet */
	uint64_t serial;
	uint64_t waited;        /* the longest wait for a lock since lock_longest_wait(): microseconds */
	uint64_t noted;         /* bytes, since this process last looked whether a collection is alive: see store/collector.h */
	bool limited;           /* see lock_limit() */
	uint64_t wait_left;     /* where it is: how much longer this process may wait for locks, microseconds */
	struct seats *seats;    /* as in the options */
	unsigned nseats;
	char epoch[STORE_EPOCH_LEN + 1];        /* see store/epoch.h; "" where nobody has begun one */
};

struct store_options {
	const char *root;
	bool flush;
	bool readonly;          /* nothing is written; a read-only file system will do */
	struct seats *seats;    /* places of those processes of a pool who may wait for long (os/seats.h), borrowed; NULL: all may */
	unsigned nseats;
};

/*
 * store_open - an owned store, or -1 with *e and *out NULL
 * Errors: one line for the operator in e->cause (which path, what is wrong), code UNAVAILABLE or UNKNOWN.
 */
int store_open(struct store **out, const struct store_options *o, struct err *e);
void store_close(struct store **st);
#define cleanup_store __attribute__((cleanup(store_close)))

/* store_read_epoch - the current epoch (store/epoch.h), "" if there is none; out holds STORE_EPOCH_LEN + 1 bytes */
int store_read_epoch(int dirfd, char *out, struct err *e);

/* Flushing, all of it nothing with fsync = "off". `above` as in os_fsync_above(). */
int store_flush_fd(struct store *st, int fd);
int store_flush_dir(struct store *st, const char *path);
int store_flush_above(struct store *st, const char *path, unsigned count);

/* store_flush_all - whatever waits for this file system's disk, where flushing one by one would take longer */
int store_flush_all(struct store *st);

/*
 * store_make_young - an open file's time of change is now: to the second, as the collector counts; sb: what fstat says of it
 * A file that can't be changed stays as it is.
 */
void store_make_young(int fd, const struct stat *sb);

/*
 * store_read - the content of a file of berth's own, whole
 * max  bytes: one that berth has written is never longer. Returns 1, 0 where there is no such file, -1 with errno: EUCLEAN where
 *      what lies there is no file, or longer.
 */
int store_read(struct store *st, const char *path, uint64_t max, struct str *out);

/*
 * store_replace - write such a file by one rename; `flush`: its data first. The caller flushes the directory.
 * A directory in the file's place is removed. 0 or -1 with errno.
 */
int store_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush);

/*
 * store_blocked - whether something that is no directory lies where a directory of berth's own belongs, or where one above
 *                 it does: 1 with that path in *at, 0, -1 with errno
 * store_unblock - remove it; 0 or -1 with errno
 */
int store_blocked(struct store *st, const char *path, struct str *at);
int store_unblock(struct store *st, const char *path);

/* store_forked - in a child that goes on with its parent's store: its new names are not to meet the parent's */
void store_forked(struct store *st);

/* store_tmp - a new name below berth/tmp/; nothing is made */
void store_tmp(struct store *st, struct str *path);

/*
 * store_trash - take a name away, whole, by one rename; what lay there is then below berth/trash/
 * The caller flushes the directory that held the name, then calls store_purge on what came out.
 * Returns 1 taken, 0 there was no such name, -1 with *e.
 */
int store_trash(struct store *st, const char *path, struct str *out, struct err *e);

/* store_take - the same for the collector: where the trash has no room for a name, piece by piece, and *trashed is empty */
int store_take(struct store *st, const char *dir, struct str *trashed, struct err *e);

/*
 * store_purge     - remove what store_trash took; a failure is left for the collector
 * store_purge_all - the same for several
 * store_purge_dir - the same, in fewer calls, for a directory that holds this one file and nothing else as a rule
 */
void store_purge(struct store *st, const char *trashed);
void store_purge_all(struct store *st, const struct names *trashed);
void store_purge_dir(struct store *st, const char *trashed, const char *file);

/*
 * store_remove_dir - remove a directory where it lies, the one file that it holds as a rule first: who finds it without
 *                    that finds nothing
 * Returns 1, 0 where the file was not there (and the directory is gone if it was empty), -1 with errno.
 */
int store_remove_dir(struct store *st, const char *dir, const char *file);

#endif
