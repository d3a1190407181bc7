/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: the stripes of repositories, and the collector's lock behind its turnstile.
 *
 * Owns berth/locks/. The files are created once and never removed: a lock on a file without a name excludes nobody.
 */
#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/time.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/process.h"
#include "os/seats.h"
#include "store/fence.h"
#include "store/store_path.h"

_Static_assert(LOCK_KINDS <= METRICS_LOCKS, "more kinds of locks than are counted");

unsigned lock_stripe_of(const char *text, size_t len)
{
	unsigned char stripe;
	struct digest d;

	digest_of(&d, DIGEST_SHA256, text, len);
	digest_bytes(&d, &stripe, 1);
	return stripe;
}

const char *lock_kind_name(enum lock_kind kind)
{
	static const char *const names[LOCK_KINDS] = { "repository", "turnstile", "collector", "upload", "catalog", "journal", "quota" };

	return names[kind];
}

void lock_waited(struct store *st, enum lock_kind kind, uint64_t usec)
{
	struct log_event ev;

	if (usec)
		metrics_waited(kind, usec);
	if (usec > st->waited)
		st->waited = usec;
	st->wait_left -= usec < st->wait_left ? usec : st->wait_left;
	if (usec < LOCK_WAIT_LONG)
		return;
	log_begin(&ev, LOG_WARN, "lock_wait");
	log_str(&ev, "lock", lock_kind_name(kind));
	log_ms(&ev, "ms", usec);
	log_end(&ev);
}

uint64_t lock_longest_wait(struct store *st)
{
	uint64_t waited = st->waited;

	st->waited = 0;
	return waited;
}

void lock_limit(struct store *st, unsigned ms)
{
	st->limited = true;
	st->wait_left = (uint64_t)ms * 1000;
}

static int busy(enum lock_kind kind, struct err *e)
{
	static const char *const with[LOCK_KINDS] = {
		[LOCK_REPOSITORY] = "others are busy with this repository", [LOCK_TURNSTILE] = "others are busy with the store",
		[LOCK_COLLECTOR] = "others are busy with the store", [LOCK_UPLOAD] = "another request is busy with this upload",
		[LOCK_CATALOG] = "others are busy with the catalog", [LOCK_JOURNAL] = "others are busy with the journal",
		[LOCK_QUOTA] = "others are busy with the quota of this name space",
	};

	return err_set(e, ERR_UNAVAILABLE, "%s", with[kind]);
}

/* These locks block only some requests, and waiting for one must not occupy all workers. */
static bool of_some(enum lock_kind kind)
{
	return kind == LOCK_REPOSITORY || kind == LOCK_UPLOAD || kind == LOCK_QUOTA;
}

/* 1 acquired, 0 still busy after ms, or after the rest of the request's limit, -1 with errno. */
static int acquire(struct store *st, int fd, bool alone, enum lock_kind kind, unsigned ms)
{
	uint64_t waited = 0;
	int seat = -1, rc = os_lock(fd, alone, 0, NULL), failed;

	if (st->limited && st->wait_left / 1000 < ms)
		ms = (unsigned)(st->wait_left / 1000);
	if (rc < 0 && errno == EWOULDBLOCK && ms) {
		if (st->seats && of_some(kind) && (seat = seats_take(st->seats, st->nseats)) < 0 && ms > LOCK_STANDING_MS)
			ms = LOCK_STANDING_MS;
		rc = os_lock(fd, alone, ms, &waited);
		if (seat >= 0)
			seats_leave(st->seats, seat);
	}
	failed = errno;                 /* the log may change it */
	lock_waited(st, kind, waited);
	errno = failed;
	return rc == 0 ? 1 : failed == EWOULDBLOCK ? 0 : -1;
}

int lock_acquire_soon(struct store *st, int fd, enum lock_kind kind, unsigned ms, struct err *e)
{
	int rc = acquire(st, fd, true, kind, ms);

	return rc < 0 ? err_sys(e, "cannot lock the %s", lock_kind_name(kind)) : rc;
}

int lock_acquire(struct store *st, int fd, enum lock_kind kind, struct err *e)
{
	int rc = lock_acquire_soon(st, fd, kind, LOCK_LONG_MS, e);

	return rc == 0 ? busy(kind, e) : rc < 0 ? -1 : 0;
}

/* As acquire(), of a file that this opens. */
static int acquire_file(struct store *st, const char *path, enum lock_kind kind, unsigned ms, int *fd, struct err *e)
{
	int rc;

	*fd = os_lock_open(st->dirfd, path);
	if (*fd < 0)
		return err_sys(e, "cannot open %s", path);
	rc = acquire(st, *fd, true, kind, ms);
	if (rc < 0)
		err_sys(e, "cannot lock %s", path);
	if (rc <= 0)
		os_cleanup_fd(fd);
	return rc;
}

int lock_file(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e)
{
	int rc = acquire_file(st, path, kind, LOCK_LONG_MS, fd, e);

	return rc == 0 ? busy(kind, e) : rc < 0 ? -1 : 0;
}

int lock_file_now(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e)
{
	return acquire_file(st, path, kind, 0, fd, e);
}

/* Under a lock that has just been acquired: 1, 0 another process has it by now, -1 with *e. *fd stays open only where it is 1. */
static int fence(struct store *st, const struct name *n, unsigned stripe, int *fd, struct err *e)
{
	int rc = fence_repository(st, n, stripe, *fd, e);

	if (rc <= 0)
		os_cleanup_fd(fd);
	return rc;
}

static int lock_stripe(struct store *st, const struct name *n, unsigned stripe, int *fd, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int rc;

	path_repository_lock(&path, stripe);
	if (lock_file(st, path.buf, LOCK_REPOSITORY, fd, e) < 0)
		return -1;
	rc = fence(st, n, stripe, fd, e);
	return rc == 0 ? busy(LOCK_REPOSITORY, e) : rc < 0 ? -1 : 0;
}

int lock_repository(struct store *st, const struct name *n, int *fd, struct err *e)
{
	return lock_stripe(st, n, lock_stripe_of(n->s, n->len), fd, e);
}

int lock_repository_now(struct store *st, const struct name *n, int *fd, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	unsigned stripe = lock_stripe_of(n->s, n->len);
	int rc;

	path_repository_lock(&path, stripe);
	rc = lock_file_now(st, path.buf, LOCK_REPOSITORY, fd, e);
	return rc == 1 ? fence(st, n, stripe, fd, e) : rc;
}

int lock_repository_look(struct store *st, const struct name *n, int *fd, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int rc;

	path_repository_lock(&path, lock_stripe_of(n->s, n->len));
	*fd = os_open_file(st->dirfd, path.buf, O_RDONLY, 0);
	if (*fd < 0)
		return os_gone(errno) ? 1 : err_sys(e, "cannot open %s", path.buf);
	/* Shared: some file systems lock exclusively only what is open for writing. */
	rc = acquire(st, *fd, false, LOCK_REPOSITORY, 0);
	if (rc < 0)
		err_sys(e, "cannot lock %s", path.buf);
	if (rc <= 0)
		os_cleanup_fd(fd);
	return rc;
}

int lock_repositories(struct store *st, const struct name *a, const struct name *b, int fds[2], struct err *e)
{
	unsigned one = lock_stripe_of(a->s, a->len), other = lock_stripe_of(b->s, b->len);

	fds[0] = fds[1] = -1;
	if (lock_stripe(st, one < other ? a : b, one < other ? one : other, &fds[0], e) < 0)
		return -1;
	if (one == other || lock_stripe(st, one < other ? b : a, one < other ? other : one, &fds[1], e) == 0)
		return 0;
	os_cleanup_fd(&fds[0]);
	return -1;
}

/*
 * The turnstile is normally locked for a moment only. But whoever waits for the exclusive lock keeps it locked, so that no
 * new writer gets in first, and the collector gets its turn. 1 acquired, 0 busy for ms, -1 with *e.
 */
static int enter(struct store *st, bool alone, unsigned ms, struct err *e)
{
	int rc = acquire(st, st->turnstile_fd, true, LOCK_TURNSTILE, LOCK_LONG_MS);
	uint64_t since = time_boot_usec();

	if (rc <= 0)
		return rc < 0 ? err_sys(e, "cannot lock %s", STORE_TURNSTILE_FILE) : busy(LOCK_TURNSTILE, e);
	rc = acquire(st, st->collector_fd, alone, LOCK_COLLECTOR, ms);
	if (rc < 0)
		err_sys(e, "cannot lock %s", STORE_COLLECTOR_FILE);
	os_unlock(st->turnstile_fd);
	if (rc == 1 && fence_entered(st, since, e) < 0) {
		unlock_collector(st);
		return -1;
	}
	return rc;
}

int lock_collector(struct store *st, struct err *e)
{
	int rc = st->collector_fd < 0 ? 1 : enter(st, false, LOCK_LONG_MS, e);

	return rc == 0 ? busy(LOCK_COLLECTOR, e) : rc < 0 ? -1 : 0;
}

/*
 * While a slow writer holds the lock, the waiting writers are let in between two tries: they wait less long than the
 * collector may. The pause is necessary: a process that releases a lock and tries again at once gets it before a waiting one
 * has woken up.
 */
int lock_collector_alone(struct store *st, struct err *e)
{
	unsigned tries;
	int rc = enter(st, true, LOCK_TURN_MS, e);

	for (tries = 1; rc == 0 && tries < LOCK_LONG_MS / LOCK_TURN_MS && !os_asked_to_end(); tries++) {
		os_pause(500 * 1000);
		rc = enter(st, true, LOCK_TURN_MS, e);
	}
	return rc == 0 ? busy(LOCK_COLLECTOR, e) : rc < 0 ? -1 : 0;
}

/* Without the turnstile: a writer that waits there is not delayed by a caller that may fail. */
bool lock_collector_if_free(struct store *st)
{
	return st->collector_fd >= 0 && os_lock(st->collector_fd, true, 0, NULL) == 0;
}

void unlock_collector(struct store *st)
{
	st->quota.hurry = false;
	if (st->collector_fd >= 0)
		os_unlock(st->collector_fd);
}

void lock_cleanup_collector(struct store **held)
{
	if (*held)
		unlock_collector(*held);
	*held = NULL;
}
