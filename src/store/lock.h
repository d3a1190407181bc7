/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_LOCK_H
#define BERTH_STORE_LOCK_H

/*
 * lock: who waits for whom in the store (store.md, "Locks").
 *
 * Always taken in the order run (store/collector.h), upload, repository, collector. All are let go when the holder dies.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

enum lock_kind { LOCK_REPOSITORY, LOCK_TURNSTILE, LOCK_COLLECTOR, LOCK_UPLOAD, LOCK_CATALOG, LOCK_KINDS };

#define LOCK_WAIT_LONG 1000000  /* microseconds: no request should wait as long, so the log says it */

/*
 * How long, in milliseconds. Nobody waits for ever: a lock that is not to be had is UNAVAILABLE 503, and a client comes
 * again. LOCK_TURN_MS is less than LOCK_REQUEST_MS: those whom a collector keeps waiting get in before they give up.
 */
#define LOCK_REQUEST_MS 10000   /* all waits of one request together */
#define LOCK_STANDING_MS 3000   /* the same where half of its pool waits for repositories and uploads already */
#define LOCK_LONG_MS 300000     /* each wait of the operator's commands, and of the collector */
#define LOCK_TURN_MS 5000       /* how long a collector keeps writers waiting while it waits itself */

/*
 * lock_limit - from now on all waits of this process together take at most ms milliseconds, and a lock that is busy after
 *              that is refused at once; a worker says it at the beginning of each request
 */
void lock_limit(struct store *st, unsigned ms);

/*
 * lock_waited - a wait for a lock is over, with the lock or without: usec as os_lock() has measured it, 0 none
 * It counts for lock_longest_wait() and in the metrics; from LOCK_WAIT_LONG on it is also an event `lock_wait` in the log.
 */
void lock_waited(struct store *st, enum lock_kind kind, uint64_t usec);

/* lock_kind_name - as the log and the metrics call it; static text */
const char *lock_kind_name(enum lock_kind kind);

/* lock_longest_wait - the longest wait for a lock since this was last asked, in microseconds; 0 where there was none */
uint64_t lock_longest_wait(struct store *st);

/* lock_acquire - lock an open file exclusively; closing it lets go */
int lock_acquire(struct store *st, int fd, enum lock_kind kind, struct err *e);

/*
 * lock_file     - open and lock a file of berth/locks/ exclusively; *fd is owned, closing it lets go
 * lock_file_now - the same for who does not wait: 1 locked, 0 somebody else has it, -1 with *e
 */
int lock_file(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e);
int lock_file_now(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e);

/*
 * lock_repository     - exclusive, for changes of a repository's manifests and tags
 * lock_repository_now - the same for who does not wait: 1 locked, 0 somebody else has it, -1 with *e
 * One of 256 stripes, by the first byte of the SHA-256 of the name; *fd is owned, closing it lets go (cleanup_fd).
 */
int lock_repository(struct store *st, const struct name *n, int *fd, struct err *e);
int lock_repository_now(struct store *st, const struct name *n, int *fd, struct err *e);

/*
 * lock_repositories - the same for two, in the order that everybody keeps: the lower stripe first, one if they are equal
 * Both descriptors are owned; the second stays -1 where one lock is both.
 */
int lock_repositories(struct store *st, const struct name *a, const struct name *b, int fds[2], struct err *e);

/*
 * lock_collector - shared with other writers, against the collector: while a blob or manifest is made reachable, or
 * found present and touched. Never while hashing or receiving. Not to be taken twice by one process.
 * On a read-only file system there is no collector, and this does nothing.
 */
int lock_collector(struct store *st, struct err *e);

/* lock_collector_alone - the collector's own side of it, against all writers; unlock_collector lets go of either */
int lock_collector_alone(struct store *st, struct err *e);

/* lock_collector_if_free - lock_collector_alone where that needs no waiting: whether it is held */
bool lock_collector_if_free(struct store *st);
void unlock_collector(struct store *st);

/* A scope that holds it: `cleanup_collector struct store *held = NULL;`, set to st once lock_collector has succeeded. */
void lock_cleanup_collector(struct store **held);
#define cleanup_collector __attribute__((cleanup(lock_cleanup_collector)))

#endif
