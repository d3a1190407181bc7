/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rounds: grouping work of several processes.
 *
 * Owns the two counters. Invariant: `done` is the number of a round whose work began after `begun` got that number.
 */
#include "os/rounds.h"

#include <errno.h>
#include <stdatomic.h>

int rounds_init(struct rounds *r)
{
	pthread_mutexattr_t a;
	int rc = pthread_mutexattr_init(&a);

	if (rc == 0 && (rc = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED)) == 0 &&
	    (rc = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST)) == 0)
		rc = pthread_mutex_init(&r->running, &a);
	pthread_mutexattr_destroy(&a);
	errno = rc;
	return rc ? -1 : 0;
}

static int acquire(struct rounds *r)
{
	int rc = pthread_mutex_lock(&r->running);

	if (rc == EOWNERDEAD)           /* the counters are right at every moment */
		rc = pthread_mutex_consistent(&r->running);
	errno = rc;
	return rc ? -1 : 0;
}

int rounds_join(struct rounds *r, int (*work)(void *arg), void *arg)
{
	uint64_t seen = atomic_load(&r->begun), mine;
	int rc = 0, failed;

	if (acquire(r) < 0)
		return -1;
	if (atomic_load(&r->done) <= seen) {
		mine = atomic_fetch_add(&r->begun, 1) + 1;
		rc = work(arg);
		if (rc == 0)
			atomic_store(&r->done, mine);
	}
	failed = errno;
	pthread_mutex_unlock(&r->running);
	errno = failed;
	return rc;
}
