/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: the repository's stripe, and the collector's lock behind its turnstile.
 *
 * Owns berth/locks/. The files are made once and never removed: a lock on a file that has lost its name is none.
 */
#include "store/lock.h"

#include "base/digest.h"
#include "base/log.h"
#include "base/metrics.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/store_path.h"

_Static_assert(LOCK_KINDS <= METRICS_LOCKS, "more kinds of locks than are counted");

static unsigned stripe_of(const struct name *n)
{
	struct digest d;
	const char *hex;
	unsigned stripe = 0;
	int i;

	digest_of(&d, DIGEST_SHA256, n->s, n->len);
	hex = digest_hex(&d);
	for (i = 0; i < 2; i++)
		stripe = stripe * 16 + (unsigned)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	return stripe;
}

const char *lock_kind_name(enum lock_kind kind)
{
	static const char *const names[LOCK_KINDS] = { "repository", "turnstile", "collector", "upload", "catalog" };

	return names[kind];
}

void lock_waited(struct store *st, enum lock_kind kind, uint64_t usec)
{
	struct log_event ev;

	if (usec)
		metrics_waited(kind, usec);
	if (usec > st->waited)
		st->waited = usec;
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

static int take(struct store *st, int fd, bool alone, enum lock_kind kind)
{
	uint64_t waited;
	int rc = os_lock(fd, alone, &waited);

	lock_waited(st, kind, waited);
	return rc;
}

int lock_file(struct store *st, const char *path, enum lock_kind kind, int *fd, struct err *e)
{
	*fd = os_lock_open(st->dirfd, path);
	if (*fd < 0)
		return err_sys(e, "cannot open %s", path);
	if (take(st, *fd, true, kind) == 0)
		return 0;
	err_sys(e, "cannot lock %s", path);
	os_cleanup_fd(fd);
	return -1;
}

static int lock_stripe(struct store *st, unsigned stripe, int *fd, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_repository_lock(&path, stripe);
	return lock_file(st, path.buf, LOCK_REPOSITORY, fd, e);
}

int lock_repository(struct store *st, const struct name *n, int *fd, struct err *e)
{
	return lock_stripe(st, stripe_of(n), fd, e);
}

int lock_repositories(struct store *st, const struct name *a, const struct name *b, int fds[2], struct err *e)
{
	unsigned one = stripe_of(a), other = stripe_of(b);

	fds[0] = fds[1] = -1;
	if (lock_stripe(st, one < other ? one : other, &fds[0], e) < 0)
		return -1;
	if (one == other || lock_stripe(st, one < other ? other : one, &fds[1], e) == 0)
		return 0;
	os_cleanup_fd(&fds[0]);
	return -1;
}

/*
 * The turnstile is held only for the moment of entering. Whoever waits for the exclusive lock keeps it, so that no
 * further writer gets in before, and the collector gets its turn.
 */
static int enter(struct store *st, bool alone, struct err *e)
{
	if (take(st, st->turnstile_fd, true, LOCK_TURNSTILE) < 0)
		return err_sys(e, "cannot lock %s", STORE_TURNSTILE_FILE);
	if (take(st, st->collector_fd, alone, LOCK_COLLECTOR) < 0) {
		err_sys(e, "cannot lock %s", STORE_COLLECTOR_FILE);
		os_unlock(st->turnstile_fd);
		return -1;
	}
	os_unlock(st->turnstile_fd);
	return 0;
}

int lock_collector(struct store *st, struct err *e)
{
	return st->collector_fd < 0 ? 0 : enter(st, false, e);
}

int lock_collector_alone(struct store *st, struct err *e)
{
	return enter(st, true, e);
}

/* Not by the turnstile: who waits there for the lock is not kept by somebody who may not get it. */
bool lock_collector_if_free(struct store *st)
{
	return st->collector_fd >= 0 && os_lock_within(st->collector_fd, true, 0, NULL) == 0;
}

void unlock_collector(struct store *st)
{
	if (st->collector_fd >= 0)
		os_unlock(st->collector_fd);
}

void lock_cleanup_collector(struct store **held)
{
	if (*held)
		unlock_collector(*held);
	*held = NULL;
}
