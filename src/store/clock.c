/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock: the time that is written into the store.
 *
 * Owns no state.
 */
#include "store/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <time.h>

#include "os/again.h"
#include "store/spool.h"

#define USEC UINT64_C(1000000)

/* A time before 1970 is 0. */
static uint64_t usec_of(int64_t sec, uint32_t nsec)
{
	return sec < 0 ? 0 : (uint64_t)sec * USEC + nsec / 1000;
}

static uint64_t of_kernel(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return usec_of(ts.tv_sec, (uint32_t)ts.tv_nsec);
}

int clock_changed(struct store *st, const char *path, uint64_t *usec)
{
	struct statx sx;

	*usec = 0;
	if (os_statx(st->dirfd, path, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_MTIME, &sx) < 0)
		return -1;
	*usec = usec_of(sx.stx_mtime.tv_sec, sx.stx_mtime.tv_nsec);
	return 0;
}

int clock_of_new(struct store *st, const char *path, uint64_t *usec)
{
	if (!st->local)
		return clock_changed(st, path, usec);
	*usec = of_kernel();
	return 0;
}

int clock_now(struct store *st, uint64_t *usec, struct err *e)
{
	cleanup_spool struct spool sp = SPOOL_INIT;

	*usec = 0;
	if (!st->local && spool_make(&sp, st, e) < 0)
		return -1;
	return clock_of_new(st, sp.path.buf, usec) < 0 ? err_sys(e, "cannot look at %s", sp.path.buf) : 0;
}

void clock_add_hex(struct str *out, uint64_t usec)
{
	str_addf(out, "%016" PRIx64, usec);
}

int clock_parse_hex(const char *s, size_t len, uint64_t *usec)
{
	*usec = 0;
	return len < CLOCK_HEX ? -1 : str_parse_hex(s, CLOCK_HEX, usec);
}
