/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_STORE_H
#define BERTH_STORE_STORE_H

/*
 * store: the open root directory of a store, and what all modules of the store are built on: flushing, whole files,
 * temporary names and the trash (doc/STORE.md, "Writes in their order").
 *
 * "Durable", here and in the modules above: on disk when the function returns; with fsync = "off" not at all; and on an ordered
 * file system with "image" only when durable_barrier() has returned (store/durable.h), which a manifest's push ends with.
 *
 * A struct store belongs to one process. The process opens the lock files itself, after fork: a descriptor shared by two
 * processes excludes neither. All paths are relative to the root's descriptor and come from store_path.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "os/dir.h"
#include "os/segments.h"

#define STORE_EPOCH_LEN 32      /* hex digits of a random number */

struct nearby;
struct pulls;
struct seats;

struct journal_rules {          /* see store/journal.h */
	bool on;
	bool pulls;             /* and pulls are written down, too */
	uint64_t keep;          /* seconds; 0: for ever */
	uint64_t max;           /* bytes */
};

/*
 * Which repositories are counted together, and how much they may have (store/quota_rules.h). A group is a leading part of a name, whole
 * components, or all repositories: length 0.
 */
struct quota_by {
	/* the rules as text: "" if nothing is counted */
	void (*text)(const void *arg, struct str *out);
	/* the group of a repository by this process's configuration, and its limit in bytes; false: none */
	bool (*group)(const void *arg, const struct name *n, size_t *len, uint64_t *limit);
	/* the same by rules of such a text, which another process wrote */
	bool (*group_in)(const char *text, const struct name *n, size_t *len, uint64_t *limit);
	/* whether two texts differ in limits at most: then they count the same */
	bool (*same_groups)(const char *a, const char *b);
};

/* Which repositories mirror another registry's (store/alone.h). */
struct mirror_by {
	bool (*is)(const void *arg, const struct name *n);
};

struct mirror_state {
	const struct mirror_by *by;     /* borrowed; NULL: none does */
	const void *arg;
	enum { MIRRORS_UNKNOWN, MIRRORS_NONE, MIRRORS_ANY } any;        /* see mirror_any() */
};

struct fence_state {            /* see store/fence.h; all are empty on a local file system */
	struct str steps;       /* the step directory of the lock of a repository that was acquired last */
	struct str repository;  /* which one that was */
	struct str batch;       /* the step directory of a collector's batch; empty: none is under way */
	struct str then;        /* what becomes of it at the end of the batch */
	uint64_t since;         /* CLOCK_BOOTTIME in microseconds: when this process certainly had the collector's lock */
};

#define QUOTA_LOCKS 256         /* stripes */
#define QUOTA_TABLES 64         /* that a process keeps open */

struct quota_open {             /* an open table */
	int fd;                 /* -1: none */
	uint64_t used;          /* when it was used last, by quota_state.clock */
	char group[NAME_MAX_LEN + 1];
};

struct quota_state {
	const struct quota_by *by;      /* borrowed; NULL: nothing is counted */
	const void *arg;
	void *word;                     /* mapped, an _Atomic uint64_t: changes with the rules in force; NULL: they have to be read each time */
	uint64_t serial, version;       /* of the rules that were read last (store/quota_rules.c); 0: none */
	struct str rules;               /* those; `own`: they are what the configuration says */
	bool own;
	int locks[QUOTA_LOCKS];         /* opened when they are needed; -1 */
	struct quota_open tables[QUOTA_TABLES];
	uint64_t clock;
	/* whether a busy lock is given up soon, until the collector's lock is released; and the group whose lock was: see quota_hurry() */
	bool hurry, busy;
	char busy_group[NAME_MAX_LEN + 1];
	/* the last change of this process brought a group to 90 % of its limit: see quota_crossed() */
	bool crossed;
	char crossed_group[NAME_MAX_LEN + 1];
	uint64_t crossed_used, crossed_limit;
};

struct store {
	int dirfd;              /* the root */
	bool flush;             /* what is acknowledged is on disk; false: fsync = "off" */
	bool local;             /* the file system belongs to this machine alone: os/fs.h */
	bool distant;           /* it may belong to others, too: each component of a path may be a question to a server */
	bool image;             /* fsync = "image", on a local file system: names of blobs become durable with a manifest */
	bool keeps_names;       /* the file system of several machines keeps names without a flush: os/fs.h */
	bool by_length;         /* it flushes what another process has written when the length is set: os/fs.h */
	bool ordered;           /* and the file system is ordered: os/fs.h, store/durable.h */
	bool readonly;
	mode_t file_mode;       /* 0666 less the umask, for files that nginx made with 0600 */
	int turnstile_fd;       /* -1 where the file system is read-only */
	int collector_fd;
	int barrier_fd;         /* -1 unless ordered */
	int touched_fd;         /* store/touched.h; -1: not open */
	uint64_t id;            /* random: no other process or machine makes the same temporary names */
	uint64_t serial;
	uint64_t waited;        /* longest wait for a lock since lock_longest_wait(), in microseconds */
	uint64_t noted;         /* bytes of notes since this process last checked that the collection is alive: see store/collector.h */
	uint64_t marked;        /* marks that this process has written: see store/undo.h */
	bool limited;           /* see lock_limit() */
	uint64_t wait_left;     /* if limited: how much longer this process may wait for locks, in microseconds */
	struct seats *seats;    /* as in the options */
	unsigned nseats;
	struct journal_rules journal;
	struct segments segments;       /* the journal's */
	struct nearby *nearby;  /* what this process keeps of repositories: store/nearby.c; NULL: nothing */
	struct pulls *pulls;    /* owned; what this process has noted: store/pulled.c; NULL: nothing */
	struct quota_state quota;
	struct mirror_state mirrors;
	char epoch[STORE_EPOCH_LEN + 1];        /* see store/epoch.h; "" if there is none */
	struct fence_state fence;
};

struct store_options {
	const char *root;
	bool flush;             /* false: nothing is flushed */
	bool image;             /* with flush, on a local file system: blobs become durable with the manifest that names them */
	bool readonly;          /* nothing is written, so the file system may be read-only */
	bool serving;           /* a master of the caller serves: it need not be found out */
	struct journal_rules journal;
	const struct quota_by *quota;   /* borrowed; NULL: nothing is counted */
	const void *quota_arg;          /* borrowed */
	struct mirror_state mirrors;
	struct seats *seats;    /* limits how many processes of a pool wait for long (os/seats.h); borrowed; NULL: no limit */
	unsigned nseats;
};

/*
 * store_open      - an owned store, or -1 with *e and *out NULL. Its epoch is "" if no master serves: nobody can tell then which
 *                   indexes are current
 * store_open_root - the same without locks and epoch, which may not exist yet
 * Errors: one line for the operator in e->cause (which path, what is wrong), code UNAVAILABLE or UNKNOWN.
 */
int store_open(struct store **out, const struct store_options *o, struct err *e);
int store_open_root(struct store **out, const struct store_options *o, struct err *e);
void store_close(struct store **st);
#define cleanup_store __attribute__((cleanup(store_close)))

/* store_read_epoch - read the current epoch into st->epoch */
int store_read_epoch(struct store *st, struct err *e);

/*
 * Flushing. With fsync = "off" these do nothing. Each returns 0 or -1 with errno.
 *
 * store_flush_dir, store_flush_above - make the names in a directory durable; `count` as in os_fsync_above()
 * store_flush_fd  - before a file gets its name: no crash leaves the name over other bytes. On an ordered file system the bytes
 *                   are only written out: they are durable when the name is.
 * store_flush_new - after a new name in this directory, which another name will be given on the way to its place. On an ordered
 *                   file system there is nothing to do.
 * store_make      - open a new file with these flags; one that has the name is replaced if that is of store_tmp() or a step, else EEXIST
 * store_write     - create a file, which must not exist, with this content; `flush`: as store_flush_fd
 * store_note      - create a file with this text, and the directories above it, unless it exists; not flushed
 * store_touch     - create an empty file, and the directories above it, unless it exists; a collection may remove empty directories meanwhile
 */
int store_flush_dir(struct store *st, const char *path);
int store_flush_above(struct store *st, const char *path, unsigned count);
int store_flush_fd(struct store *st, int fd);
int store_flush_new(struct store *st, const char *path);
int store_make(struct store *st, const char *path, int flags);
int store_write(struct store *st, const char *path, const void *buf, size_t len, bool flush);
int store_note(struct store *st, const char *path, const char *text, size_t len);
int store_touch(struct store *st, const char *path);

/* store_flushes_index - whether names in indexes have to be durable before the links that they lead to: see doc/STORE.md, "Indexes and epochs" */
bool store_flushes_index(const struct store *st);

/* store_flush_all - flush the whole file system: faster than many single flushes */
int store_flush_all(struct store *st);

/*
 * store_refresh - set the modification time of an open file to now, unless it is the current second already (the collector
 *                 counts in seconds); sb: what fstat says of it
 * A failure is ignored.
 */
void store_refresh(int fd, const struct stat *sb);

/*
 * store_read - the whole content of a file that berth wrote
 * max  bytes: berth never writes a longer one
 * Returns 1, 0 if there is no such file, -1 with errno: EUCLEAN if it is not a regular file, or longer than max.
 */
int store_read(struct store *st, const char *path, uint64_t max, struct str *out);

/*
 * store_replace - write such a file, and publish it by one rename; `flush`: flush its data first. The caller flushes the
 *                 directory.
 * A directory in the file's place is removed. Returns 0 or -1 with errno.
 */
int store_replace(struct store *st, const char *path, const void *buf, size_t len, bool flush);

/*
 * store_blocked - whether something other than a directory occupies the path of one of berth's own directories, or of one
 *                 above it: 1 with its path in *at, 0, -1 with errno
 * store_unblock - remove it; 0 or -1 with errno
 */
int store_blocked(struct store *st, const char *path, struct str *at);
int store_unblock(struct store *st, const char *path);

/* store_forked - call it in a child that uses its parent's store: gives it temporary names of its own */
void store_forked(struct store *st);

/* store_tmp - a new name below berth/tmp/; creates nothing */
void store_tmp(struct store *st, struct str *path);

/* store_trash_name - a new name below berth/trash/; creates nothing */
void store_trash_name(struct store *st, struct str *path);

/*
 * store_trash - move a file or a directory to berth/trash/ by one rename; its new path goes to *out
 * The caller flushes the directory that held it, then calls store_purge on the new path.
 * Returns 1, 0 if there was no such name, -1 with *e.
 */
int store_trash(struct store *st, const char *path, struct str *out, struct err *e);

/* store_discard - as store_trash, but if the disk is too full for the rename, remove it in place, and *trashed is empty */
int store_discard(struct store *st, const char *dir, struct str *trashed, struct err *e);

/*
 * store_purge     - remove what store_trash moved; on failure the collector removes it later
 * store_purge_all - the same for several paths
 * store_purge_dir - the same in fewer calls for a directory that, as a rule, holds this one file only
 */
void store_purge(struct store *st, const char *trashed);
void store_purge_all(struct store *st, const struct names *trashed);
void store_purge_dir(struct store *st, const char *trashed, const char *file);

/*
 * store_remove_dir - remove a directory in place. Its one file is removed first: without it the directory means nothing
 * Returns 1, 0 if the file was missing (the directory is then removed if it was empty), -1 with errno.
 */
int store_remove_dir(struct store *st, const char *dir, const char *file);

#endif
