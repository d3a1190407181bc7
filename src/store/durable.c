/* SPDX-License-Identifier: Apache-2.0 */
/*
 * durable: which directory entries this process has flushed.
 *
 * Owns that memory, and the length of berth/locks/run: one byte for each move. Invariant: the entry of a directory in the
 * memory, and those of all directories above it, were durable when it was stored, and it has not moved since.
 */
#include "store/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/store_path.h"

#define NSEC INT64_C(1000000000)
#define TICK (20 * 1000 * 1000)          /* nanoseconds: the clock of a file system may lag by 10 ms */
#define REMEMBERED 4096         /* directories, 32 bytes each; a newer one replaces an older one */

struct seen {
	uint64_t dev, ino;
	int64_t born;           /* nanoseconds; 0: the place is free */
};

static struct seen seen[REMEMBERED];
static uint64_t moved;                  /* the number of moves that this process has seen */

static void forget(void)
{
	memset(seen, 0, sizeof(seen));
}

static struct seen *place_of(const struct seen *d)
{
	return &seen[(d->ino ^ d->ino >> 12) % REMEMBERED];
}

static bool is_known(const struct seen *d)
{
	const struct seen *s = place_of(d);

	return d->born && s->born == d->born && s->ino == d->ino && s->dev == d->dev;
}

/* A directory created within the last clock tick is not stored: another one could replace it with the same number and time. */
static void remember(const struct seen *d)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (d->born && now.tv_sec * NSEC + now.tv_nsec - d->born > TICK)
		*place_of(d) = *d;
}

static int look(struct store *st, const char *dir, struct seen *out)
{
	struct statx sx;

	*out = (struct seen){ 0 };
	if (statx(st->dirfd, dir, AT_STATX_FORCE_SYNC, STATX_INO | STATX_BTIME, &sx) < 0)
		return -1;
	if (!(sx.stx_mask & STATX_BTIME))
		return 0;
	out->dev = (uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor;
	out->ino = sx.stx_ino;
	out->born = sx.stx_btime.tv_sec * NSEC + sx.stx_btime.tv_nsec;
	return 0;
}

int durable_moving(int run_fd)
{
	struct stat sb;
	int rc;

	if (fstat(run_fd, &sb) < 0)
		return -1;
	do
		rc = ftruncate(run_fd, sb.st_size + 1);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* Moves are counted under the exclusive lock of the collector, and the caller holds it shared: none goes unnoticed. */
static void forget_if_moved(struct store *st)
{
	struct statx sx = { 0 };

	if (statx(st->dirfd, STORE_RUN_LOCK_FILE, AT_STATX_FORCE_SYNC, STATX_SIZE, &sx) < 0 && errno != ENOENT)
		forget();
	if (sx.stx_size == moved)
		return;
	forget();
	moved = sx.stx_size;
}

/* .../repositories, or .../blobs/ALG: flushed at the start, with all above them */
static bool is_layout(const char *dir)
{
	static const char blobs[] = STORE_BLOBS_DIR "/";

	if (strncmp(dir, blobs, sizeof(blobs) - 1) == 0)
		return !strchr(dir + sizeof(blobs) - 1, '/');
	return strcmp(dir, STORE_REPOSITORIES_DIR) == 0;
}

/* Flushes the entry of this directory and those above it; `dir` is shortened by a component at each step. */
static int flush_name(struct store *st, char *dir)
{
	struct seen d;

	if (is_layout(dir))
		return 0;
	if (look(st, dir, &d) < 0)
		return -1;
	if (is_known(&d))
		return 0;
	*strrchr(dir, '/') = '\0';
	if (store_flush_dir(st, dir) < 0 || flush_name(st, dir) < 0)
		return -1;
	remember(&d);
	return 0;
}

int durable_dir(struct store *st, const char *dir)
{
	cleanup_str struct str path = STR_INIT;

	if (!st->flush)
		return 0;
	str_puts(&path, dir);
	forget_if_moved(st);
	return store_flush_dir(st, dir) < 0 ? -1 : flush_name(st, path.buf);
}

int durable_name(struct store *st, const char *path)
{
	struct seen f;

	if (!st->flush)
		return 0;
	if (look(st, path, &f) < 0)
		return -1;
	if (is_known(&f))
		return 0;
	if (store_flush_above(st, path, 1) < 0)
		return -1;
	remember(&f);
	return 0;
}
