/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alone: a bit, a number and a word.
 *
 * Owns berth/mirror/_size, _judged and _doubt, and the sticky bit of content. Knows no links.
 */
#include "store/alone.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/mirror.h"
#include "store/spool.h"
#include "store/store_path.h"

#define SIZE_LEN 21             /* twenty digits and a newline */
#define SIZE_WAIT 2000          /* milliseconds: each holder needs three system calls */
#define JUDGED_MAX 256
#define DOUBT_LEN 16            /* digits */

/* If nobody can tell, it is none: then the bit goes, which costs no more than the room of some bytes. */
bool alone_mirror(struct store *st, const struct name *n)
{
	cleanup_err struct err ignored = ERR_INIT;

	return mirror_copied(st, n, &ignored) == 1;
}

bool alone_brings(struct store *st, const struct name *n)
{
	return st->mirrors.by && st->mirrors.by->is(st->mirrors.arg, n) && alone_mirror(st, n);
}

bool alone_has(const struct stat *sb)
{
	return (sb->st_mode & S_ISVTX) != 0;
}

/* A file that has another name already may be content whose bit somebody has cleared. Some file systems take the mode and keep another. */
bool alone_give(int fd, const struct stat *sb)
{
	struct stat now;

	return sb->st_nlink == 1 && fchmod(fd, (sb->st_mode & 0777) | S_ISVTX) == 0 && os_fstat(fd, &now) == 0 && alone_has(&now);
}

/*
 * Only its owner may change a file's mode: a copy takes its place. The bytes are compared, so that it cannot be worse than what an upload may
 * have put there meanwhile.
 */
static int take_copy(struct store *st, const struct digest *d, int fd, const struct stat *sb, struct err *e)
{
	cleanup_str struct str to = STR_INIT, dir = STR_INIT;
	cleanup_spool struct spool tmp = SPOOL_INIT;

	path_blob(&to, d);
	path_blob_dir(&dir, d);
	if (spool_make(&tmp, st, e) < 0)
		return -1;
	if (os_append(tmp.fd, 0, fd, 0, (uint64_t)sb->st_size) < 0)
		return err_sys(e, "cannot copy blob %s", d->text);
	if (spool_verify(st, tmp.fd, d, e) < 0) {
		bool wrong = e->code == ERR_DIGEST_INVALID;

		return wrong ? err_set(e, ERR_UNKNOWN, "blob %s is corrupt, and is another user's", d->text) : -1;
	}
	if (os_renameat(st->dirfd, tmp.path.buf, st->dirfd, to.buf) < 0 || (!st->ordered && store_flush_dir(st, dir.buf) < 0))
		return err_sys(e, "cannot publish %s", to.buf);
	return 0;
}

/* On an ordered file system the change comes before the link that follows it. */
int alone_take(struct store *st, const struct name *n, const struct digest *d, int fd, const struct stat *sb, struct err *e)
{
	if (!alone_has(sb) || (n && alone_mirror(st, n)))
		return 0;
	if (fchmod(fd, sb->st_mode & 0777) == 0 && (st->ordered || !st->flush || os_fsync(fd) == 0))
		return 0;
	if (errno == EPERM)
		return take_copy(st, d, fd, sb, e);
	return err_sys(e, "cannot note that other repositories than mirrors have %s", d->text);
}

/* The number in an open file: 0 if it is none. */
static uint64_t read_size(int fd)
{
	char text[SIZE_LEN];
	uint64_t bytes;
	ssize_t n;

	do
		n = pread(fd, text, sizeof(text), 0);
	while (n < 0 && errno == EINTR);
	if (n != SIZE_LEN || text[SIZE_LEN - 1] != '\n' || str_parse_u64(text, SIZE_LEN - 1, &bytes) < 0)
		return 0;
	return bytes;
}

static int write_size(int fd, uint64_t bytes, struct err *e)
{
	char text[SIZE_LEN + 1];
	ssize_t n;

	snprintf(text, sizeof(text), "%020" PRIu64 "\n", bytes);
	metrics_set(METRIC_CACHE_BYTES, bytes);
	do
		n = pwrite(fd, text, SIZE_LEN, 0);
	while (n < 0 && errno == EINTR);
	return n == SIZE_LEN ? 0 : err_sys(e, "cannot write %s", STORE_MIRROR_SIZE_FILE);
}

/* Locked until it is closed. */
static int open_size(struct store *st, struct err *e)
{
	int fd = os_lock_open(st->dirfd, STORE_MIRROR_SIZE_FILE);

	if (fd < 0 && errno == ENOENT && os_mkdirs(st->dirfd, STORE_MIRROR_DIR) == 0)
		fd = os_lock_open(st->dirfd, STORE_MIRROR_SIZE_FILE);
	if (fd >= 0 && os_lock(fd, true, SIZE_WAIT, NULL) == 0)
		return fd;
	err_sys(e, "cannot lock %s", STORE_MIRROR_SIZE_FILE);
	os_cleanup_fd(&fd);
	return -1;
}

int alone_size(struct store *st, uint64_t *bytes, struct err *e)
{
	cleanup_fd int fd = os_open_file(st->dirfd, STORE_MIRROR_SIZE_FILE, O_RDONLY, 0);

	*bytes = 0;
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", STORE_MIRROR_SIZE_FILE);
	*bytes = read_size(fd);
	return 1;
}

int alone_add(struct store *st, uint64_t bytes, uint64_t max, struct err *e)
{
	cleanup_fd int fd = open_size(st, e);
	uint64_t now = fd < 0 ? 0 : read_size(fd);

	if (fd < 0)
		return -1;
	if (max && (now > max || bytes > max - now))
		return 0;
	return write_size(fd, now + bytes, e) < 0 ? -1 : 1;
}

int alone_sub(struct store *st, uint64_t bytes, struct err *e)
{
	cleanup_fd int fd = open_size(st, e);
	uint64_t now = fd < 0 ? 0 : read_size(fd);

	return fd < 0 ? -1 : write_size(fd, now > bytes ? now - bytes : 0, e);
}

int alone_replace(struct store *st, uint64_t measured, uint64_t before, struct err *e)
{
	cleanup_fd int fd = open_size(st, e);
	uint64_t now = fd < 0 ? 0 : read_size(fd);

	return fd < 0 ? -1 : write_size(fd, now > before ? measured + (now - before) : measured, e);
}

int alone_word(struct store *st, struct str *out, struct err *e)
{
	char doubt[DOUBT_LEN];
	ssize_t n = os_read_file(st->dirfd, STORE_MIRROR_DOUBT_FILE, doubt, sizeof(doubt));

	if (n < 0 && !os_gone(errno))
		return err_sys(e, "cannot read %s", STORE_MIRROR_DOUBT_FILE);
	str_reset(out);
	str_addf(out, "%s ", st->epoch);
	if (n == DOUBT_LEN)
		str_add(out, doubt, DOUBT_LEN);
	str_puts(out, "\n");
	return 0;
}

int alone_judged(struct store *st, const struct str *word, struct err *e)
{
	char text[JUDGED_MAX];
	ssize_t n;

	if (!*st->epoch)
		return 0;
	n = os_read_file(st->dirfd, STORE_MIRROR_JUDGED_FILE, text, sizeof(text));
	if (n < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot read %s", STORE_MIRROR_JUDGED_FILE);
	return (size_t)n == word->len && memcmp(text, word->buf, word->len) == 0;
}

int alone_judge(struct store *st, const struct str *word, struct err *e)
{
	if (!*st->epoch)
		return 0;
	if (os_mkdirs(st->dirfd, STORE_MIRROR_DIR) == 0 && store_replace(st, STORE_MIRROR_JUDGED_FILE, word->buf, word->len, true) == 0)
		return 1;
	/* The disk may be full, and what follows make room: the next one looks again. */
	return errno == ENOSPC || errno == EDQUOT ? 0 : err_sys(e, "cannot write %s", STORE_MIRROR_JUDGED_FILE);
}

int alone_doubt(struct store *st, struct err *e)
{
	char text[DOUBT_LEN + 1];
	uint64_t random;

	os_random(&random, sizeof(random));
	snprintf(text, sizeof(text), "%016" PRIx64, random);
	if (os_mkdirs(st->dirfd, STORE_MIRROR_DIR) == 0 && store_replace(st, STORE_MIRROR_DOUBT_FILE, text, DOUBT_LEN, false) == 0)
		return 0;
	return err_sys(e, "cannot write %s", STORE_MIRROR_DOUBT_FILE);
}
