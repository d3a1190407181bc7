/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_STORE_LOCK_H
#define BERTH_STORE_LOCK_H

/*
 * lock: the locks of the store (doc/STORE.md, "Locks").
 *
 * They are acquired in the order run (store/collector.h), upload, repository, collector, catalog, journal, quota. All are released when their
 * holder dies. To acquire a lock that stays busy for too long fails with UNAVAILABLE 503, and the client may retry.
 */

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/ref.h"
#include "store/store.h"

enum lock_kind { LOCK_REPOSITORY, LOCK_TURNSTILE, LOCK_COLLECTOR, LOCK_UPLOAD, LOCK_CATALOG, LOCK_JOURNAL, LOCK_QUOTA, LOCK_KINDS };

#define LOCK_WAIT_LONG 1000000  /* microseconds: a longer wait is logged */

/*
 * Limits for waits, in milliseconds. LOCK_TURN_MS is less than LOCK_REQUEST_MS, so that writers that wait for a collector get
 * their turn before they give up.
 */
#define LOCK_REQUEST_MS 10000   /* all waits of one request together */
#define LOCK_STANDING_MS 3000   /* the same while half of its pool waits for repositories and uploads already */
#define LOCK_LONG_MS 300000     /* each wait of an operator's command, or of the collector */
#define LOCK_TURN_MS 5000       /* how long a collector that waits keeps new writers waiting */

/*
 * lock_limit - from now on, all waits of this process together take at most ms milliseconds; after that, a busy lock is an
 *              error at once. A worker calls it at the beginning of each request.
 */
void lock_limit(struct store *st, unsigned ms);

/*
 * lock_waited - record a wait for a lock, successful or not; usec: as measured by os_lock(), 0 none
 * It counts for lock_longest_wait() and the metrics; from LOCK_WAIT_LONG on it is logged as an event `lock_wait`.
 */
void lock_waited(struct store *st, enum lock_kind kind, uint64_t usec);

/* lock_stripe_of - the number of the file that is locked for this text, one of 256: the first byte of its SHA-256 */
unsigned lock_stripe_of(const char *text, size_t len);

/* lock_kind_name - the name in the log and the metrics; static text */
const char *lock_kind_name(enum lock_kind kind);

/* lock_longest_wait - the longest wait since the last call, in microseconds; 0 without any */
uint64_t lock_longest_wait(struct store *st);

/* lock_acquire - lock an open file exclusively; closing it releases the lock */
int lock_acquire(struct store *st, int fd, enum lock_kind kind, struct err *e);

/* lock_acquire_soon - the same within ms milliseconds: 1 locked, 0 busy, -1 with *e */
int lock_acquire_soon(struct store *st, int fd, enum lock_kind kind, unsigned ms, struct err *e);

/*
 * lock_file     - open and lock a file of berth/locks/ exclusively; *fd is owned, closing it releases the lock
 * lock_file_now - the same without waiting: 1 locked, 0 another process has it, -1 with *e
 */
int lock_file(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e);
int lock_file_now(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e);

/*
 * lock_repository     - exclusive, for changes of a repository's manifests and tags
 * lock_repository_now - the same without waiting: 1 locked, 0 another process has it, -1 with *e
 * One of 256 stripes, by the first byte of the name's SHA-256; *fd is owned, closing it releases the lock (cleanup_fd).
 */
int lock_repository(struct store *st, const struct name *n, int *fd, struct err *e);
int lock_repository_now(struct store *st, const struct name *n, int *fd, struct err *e);

/*
 * lock_repository_look - keep others from changing the repository while it is looked at, without writing anything, for a store that is
 *                        read-only: 1 nobody changes it, 0 somebody does, -1 with *e
 * *fd is owned, and -1 where nobody has ever changed a repository of this stripe.
 */
int lock_repository_look(struct store *st, const struct name *n, int *fd, struct err *e);

/*
 * lock_repositories - the same for two, always the lower stripe first; one lock if the stripes are equal
 * Both descriptors are owned; with one lock the second is -1.
 */
int lock_repositories(struct store *st, const struct name *a, const struct name *b, int fds[2], struct err *e);

/*
 * lock_collector - shared with other writers, against the collector: while a blob or manifest is made reachable or pinned.
 * Never while hashing or receiving. A process must not acquire it twice.
 * On a read-only file system there is no collector, and this does nothing.
 */
int lock_collector(struct store *st, struct err *e);

/* lock_collector_alone - exclusive, for the collector; unlock_collector releases either, and ends quota_hurry() */
int lock_collector_alone(struct store *st, struct err *e);

/* lock_collector_if_free - the same without waiting: whether it was acquired */
bool lock_collector_if_free(struct store *st);
void unlock_collector(struct store *st);

/* For a scope: `cleanup_collector struct store *held = NULL;`, set to st once lock_collector has succeeded. */
void lock_cleanup_collector(struct store **held);
#define cleanup_collector __attribute__((cleanup(lock_cleanup_collector)))

#endif
