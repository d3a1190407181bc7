/* SPDX-License-Identifier: Apache-2.0 */
/*
 * moves: the count of moves, and the mark of one that goes on.
 *
 * Owns the mode of berth/locks/run, and its length together with durable.c, which counts some moves once more.
 */
#include "store/moves.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "store/store_path.h"

#define MARK S_IXUSR

static int set_mark(int fd, const struct stat *sb, bool on)
{
	mode_t mode = (sb->st_mode & 07777 & ~(mode_t)MARK) | (on ? MARK : 0);

	return mode == (sb->st_mode & 07777) ? 0 : fchmod(fd, mode);
}

static int set_length(int fd, off_t length)
{
	int rc;

	do
		rc = ftruncate(fd, length);
	while (rc < 0 && errno == EINTR);
	return rc;
}

/* The mark is there before the count has changed. Both are, for all machines, before anything is moved. */
int moves_begin(struct store *st, int *fd, struct err *e)
{
	struct stat sb;

	*fd = -1;
	if (!st->distant)
		return 0;
	*fd = os_lock_open(st->dirfd, STORE_RUN_LOCK_FILE);
	if (*fd >= 0 && os_fstat(*fd, &sb) == 0 && set_mark(*fd, &sb, true) == 0 && set_length(*fd, sb.st_size + 1) == 0 && os_fsync(*fd) == 0)
		return 0;
	err_sys(e, "cannot write %s", STORE_RUN_LOCK_FILE);
	moves_end(fd);
	return -1;
}

void moves_end(int *fd)
{
	int saved = errno;
	struct stat sb;

	if (*fd >= 0 && os_fstat(*fd, &sb) == 0)
		set_mark(*fd, &sb, false);
	os_cleanup_fd(fd);
	errno = saved;
}

void moves_settle(struct store *st, int fd)
{
	struct stat sb;

	if (st->distant && os_fstat(fd, &sb) == 0)
		set_mark(fd, &sb, false);
}

int moves_open(struct store *st)
{
	return os_open_file(st->dirfd, STORE_RUN_LOCK_FILE, O_RDONLY, 0);
}

int moves_look(int fd, struct moves *out)
{
	struct statx sx;

	*out = (struct moves){ .going_on = true };
	if (fd < 0 || os_statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_MODE | STATX_SIZE | STATX_NLINK, &sx) < 0)
		return -1;
	if (sx.stx_nlink == 0) {        /* somebody has removed it by hand */
		errno = ENOENT;
		return -1;
	}
	*out = (struct moves){ .count = sx.stx_size, .going_on = sx.stx_mode & MARK };
	return 0;
}
