/* SPDX-License-Identifier: Apache-2.0 */
/*
 * durable: which names are on disk, and flushing those that are not.
 *
 * Owns the memory of what was flushed, berth/locks/barrier, and the length of berth/locks/run: one byte for each move.
 * Invariant: the entry of a directory in the memory, and those of all directories above it, were durable when it was stored,
 * and it has not moved since. The memory is that of processes, so it is gone with the power.
 */
#include "store/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/rounds.h"
#include "store/store_path.h"

#define NSEC INT64_C(1000000000)
#define TICK (20 * 1000 * 1000)         /* nanoseconds: the clock of a file system may lag by 10 ms */
#define REMEMBERED 4096                 /* directories, 8 bytes each; a newer one replaces an older one */

static struct memory {
	_Atomic uint64_t seen[REMEMBERED];      /* hashes of what look() finds; 0: the place is free */
	_Atomic uint64_t moved;                 /* the number of moves that these processes have seen */
	struct rounds barriers;
} own = { .barriers = { .running = PTHREAD_MUTEX_INITIALIZER } }, *memory = &own;

int durable_share(void)
{
	struct memory *m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (m == MAP_FAILED)
		return -1;
	if (rounds_init(&m->barriers) < 0) {
		munmap(m, sizeof(*m));
		return -1;
	}
	memory = m;
	return 0;
}

static void forget(void)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		atomic_store(&memory->seen[i], 0);
}

static bool is_known(uint64_t id)
{
	return id && atomic_load(&memory->seen[id % REMEMBERED]) == id;
}

static void remember(uint64_t id)
{
	if (id)
		atomic_store(&memory->seen[id % REMEMBERED], id);
}

/* A bijection that lets each bit of the input change half of the output: two files share a result with probability 2^-64. */
static uint64_t mixed(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

/*
 * The hash of device, inode and birth time goes to *id; 0 if it must not be remembered: without a birth time, or if it was created
 * within the last clock tick, because another one could replace it with the same number and time.
 */
static int look(struct store *st, const char *path, uint64_t *id)
{
	struct timespec now;
	struct statx sx;
	int64_t born;

	*id = 0;
	if (os_statx(st->dirfd, path, AT_STATX_FORCE_SYNC, STATX_INO | STATX_BTIME, &sx) < 0)
		return -1;
	if (!(sx.stx_mask & STATX_BTIME))
		return 0;
	born = sx.stx_btime.tv_sec * NSEC + sx.stx_btime.tv_nsec;
	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec * NSEC + now.tv_nsec - born > TICK)
		*id = mixed(mixed(mixed((uint64_t)sx.stx_dev_major << 32 | sx.stx_dev_minor) + sx.stx_ino) + (uint64_t)born);
	return 0;
}

int durable_moving(int run_fd)
{
	struct stat sb;
	int rc;

	if (os_fstat(run_fd, &sb) < 0)
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

	if (os_statx(st->dirfd, STORE_RUN_LOCK_FILE, AT_STATX_FORCE_SYNC, STATX_SIZE, &sx) < 0 && errno != ENOENT)
		forget();
	if (sx.stx_size == atomic_load(&memory->moved))
		return;
	forget();
	atomic_store(&memory->moved, sx.stx_size);
}

/* .../repositories, .../blobs/ALG or .../blobs/sha256/HH, and berth: made and flushed at the start, with all above them */
static bool is_layout(const char *dir)
{
	static const char blobs[] = STORE_BLOBS_DIR "/", sha256[] = STORE_SHA256_DIR "/";

	if (strncmp(dir, sha256, sizeof(sha256) - 1) == 0)
		return !strchr(dir + sizeof(sha256) - 1, '/');
	if (strncmp(dir, blobs, sizeof(blobs) - 1) == 0)
		return !strchr(dir + sizeof(blobs) - 1, '/');
	return strcmp(dir, STORE_REPOSITORIES_DIR) == 0 || strcmp(dir, STORE_BERTH_DIR) == 0;
}

/* Flushes the entry of this directory and those above it; `dir` is shortened by a component at each step. */
static int flush_name(struct store *st, char *dir)
{
	uint64_t id;

	if (is_layout(dir))
		return 0;
	if (look(st, dir, &id) < 0)
		return -1;
	if (is_known(id))
		return 0;
	*strrchr(dir, '/') = '\0';
	if (store_flush_dir(st, dir) < 0 || flush_name(st, dir) < 0)
		return -1;
	remember(id);
	return 0;
}

int durable_dir(struct store *st, const char *dir)
{
	cleanup_str struct str path = STR_INIT;

	if (!st->flush || st->ordered || st->keeps_names)
		return 0;
	str_puts(&path, dir);
	forget_if_moved(st);
	return store_flush_dir(st, dir) < 0 ? -1 : flush_name(st, path.buf);
}

int durable_name(struct store *st, const char *path)
{
	uint64_t id;

	if (!st->flush || st->keeps_names)
		return 0;
	if (look(st, path, &id) < 0)
		return -1;
	if (is_known(id))
		return 0;
	if (store_flush_above(st, path, 1) < 0)
		return -1;
	remember(id);
	return 0;
}

/* The change makes this inode the last one in the journal: without it, its fsync would commit nothing new. */
static int flush_barrier(void *arg)
{
	const struct store *st = arg;

	return futimens(st->barrier_fd, NULL) < 0 ? -1 : os_fsync(st->barrier_fd);
}

int durable_barrier(struct store *st)
{
	return st->ordered ? rounds_join(&memory->barriers, flush_barrier, st) : 0;
}
