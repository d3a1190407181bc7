/* SPDX-License-Identifier: Apache-2.0 */
/*
 * believed: the mark under which summaries count.
 *
 * Owns berth/index/_fallback. Invariant: while a master of version 1.0.0 changes a store there is no mark, or nothing was written under it.
 * Knows nothing of what a summary says.
 */
#include "store/believed.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/lock.h"
#include "os/tree.h"
#include "store/store_path.h"

#define GLANCE 50                       /* milliseconds: another process that looks holds the lock for a moment */
#define OF_EPOCH (BELIEVED_LEN / 2)         /* characters of a mark that are the epoch's */

int believed_read(struct store *st, char mark[BELIEVED_LEN + 1], struct err *e)
{
	ssize_t n;

	mark[0] = '\0';
	if (!*st->epoch)
		return 0;
	n = readlinkat(st->dirfd, STORE_BELIEVED_LINK, mark, BELIEVED_LEN + 1);
	if (n < 0 && !os_gone(errno) && errno != EINVAL)
		return err_sys(e, "cannot read %s", STORE_BELIEVED_LINK);
	if (n != BELIEVED_LEN || memcmp(mark, st->epoch, OF_EPOCH) != 0) {
		mark[0] = '\0';
		return 0;
	}
	mark[BELIEVED_LEN] = '\0';
	return 1;
}

/* A new mark in place of what lies there. Of two that make one at once the first one's stays. */
static int make(struct store *st, char mark[BELIEVED_LEN + 1], struct err *e)
{
	uint64_t random;

	os_random(&random, sizeof(random));
	snprintf(mark, BELIEVED_LEN + 1, "%.*s%016" PRIx64, OF_EPOCH, st->epoch, random);
	if (os_remove_tree(st->dirfd, STORE_BELIEVED_LINK) < 0 && !os_gone(errno))
		return err_sys(e, "cannot remove %s", STORE_BELIEVED_LINK);
	if (symlinkat(mark, st->dirfd, STORE_BELIEVED_LINK) == 0)
		return 1;
	return errno == EEXIST ? believed_read(st, mark, e) : err_sys(e, "cannot make %s", STORE_BELIEVED_LINK);
}

/*
 * A master of version 1.0.0 holds this lock shared. Who has it alone knows that there is none, but for one that is about to get it: that one
 * has removed the mark before. If it came between its removal and its lock the mark goes here, as soon as something is to be written.
 */
int believed_begin(struct store *st, char mark[BELIEVED_LEN + 1], struct err *e)
{
	cleanup_fd int fd = -1;
	int rc;

	mark[0] = '\0';
	if (!*st->epoch || st->readonly)
		return 0;
	fd = os_lock_open(st->dirfd, STORE_ONLINE_1_0_FILE);
	if (fd < 0)
		return err_sys(e, "cannot open %s", STORE_ONLINE_1_0_FILE);
	if (os_lock(fd, true, GLANCE, NULL) < 0) {
		if (errno != EWOULDBLOCK)
			return err_sys(e, "cannot lock %s", STORE_ONLINE_1_0_FILE);
		if (os_unlinkat(st->dirfd, STORE_BELIEVED_LINK, 0) < 0 && !os_gone(errno))
			return err_sys(e, "cannot remove %s", STORE_BELIEVED_LINK);
		return 0;
	}
	rc = believed_read(st, mark, e);
	return rc ? rc : make(st, mark, e);
}
