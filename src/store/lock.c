/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock: the repository's stripe, and the collector's lock behind its turnstile.
 *
 * Owns berth/locks/. The files are made once and never removed: a lock on a file that has lost its name is none.
 */
#include "store/lock.h"

#include "base/digest.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/store_path.h"

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

static int lock_stripe(struct store *st, unsigned stripe, int *fd, struct err *e)
{
	cleanup_str struct str path = STR_INIT;

	path_repository_lock(&path, stripe);
	*fd = os_lock_open(st->dirfd, path.buf);
	if (*fd < 0)
		return err_sys(e, "cannot open %s", path.buf);
	if (os_lock(*fd, true) == 0)
		return 0;
	err_sys(e, "cannot lock %s", path.buf);
	os_cleanup_fd(fd);
	return -1;
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
	if (os_lock(st->turnstile_fd, true) < 0)
		return err_sys(e, "cannot lock %s", STORE_TURNSTILE_FILE);
	if (os_lock(st->collector_fd, alone) < 0) {
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
