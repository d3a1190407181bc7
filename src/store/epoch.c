/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch: joining and beginning epochs.
 *
 * Owns berth/locks/serving, berth/locks/online and berth/index/_epoch. A process that only wants to know whether any master
 * serves tries the lock of `online`: if it tried `serving`, a master that starts at that moment would believe that others serve.
 */
#include "store/epoch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"
#include "os/lock.h"
#include "store/layout.h"
#include "store/store_path.h"

#define PATIENCE 600000 /* milliseconds: another master that begins an epoch may flush gigabytes first */

static int write_new(int dirfd, bool flush, struct err *e)
{
	cleanup_str struct str tmp = STR_INIT;
	char text[STORE_EPOCH_LEN + 1];
	uint64_t random[2];

	os_random(random, sizeof(random));
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	str_addf(&tmp, STORE_TMP_DIR "/epoch-%s", text);
	if (os_write_file(dirfd, tmp.buf, text, STORE_EPOCH_LEN, flush) == 0 &&
	    renameat(dirfd, tmp.buf, dirfd, STORE_EPOCH_FILE) == 0 &&
	    (!flush || os_fsync_above(dirfd, STORE_EPOCH_FILE, 1) == 0))
		return 0;
	err_sys(e, "cannot write %s", STORE_EPOCH_FILE);
	unlinkat(dirfd, tmp.buf, 0);
	return -1;
}

static int share(int dirfd, const char *file, int *fd, struct err *e)
{
	*fd = os_lock_open(dirfd, file);
	if (*fd >= 0 && os_lock(*fd, false, PATIENCE, NULL) == 0)
		return 0;
	return err_sys(e, "cannot lock %s", file);
}

/*
 * Nobody served until now, so the content may come from a registry that does not flush, or from berth with fsync = "off".
 * Later promises rest on it: links and content that a push finds are not flushed one by one. The same holds for the new
 * directories of this start, if syncfs(2) reaches them.
 *
 * The old epoch is removed, durably, before the new one is written. So after a power cut there is one of them or none, but
 * never the old one beside an index that has changed since; and wherever there is one, everything older is on disk.
 */
static int begin_epoch(const struct store_options *o, int dirfd, struct err *e)
{
	struct store_options one_by_one = *o;

	one_by_one.flush = o->flush && !os_syncfs_reaches(dirfd);
	if (unlinkat(dirfd, STORE_EPOCH_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove %s", STORE_EPOCH_FILE);
	if (layout_flush(&one_by_one, dirfd, e) < 0)
		return -1;
	if (o->flush && syncfs(dirfd) < 0)
		return err_sys(e, "cannot flush the store");
	return write_new(dirfd, one_by_one.flush, e);
}

/*
 * If the exclusive lock is free, nobody served until now. Changing it to a shared one is not atomic; at worst another
 * process begins another epoch. If there is no epoch after waiting, the process that was beginning it died, and this one
 * tries again; only a few times, since somebody may have removed the file by hand while others serve.
 */
static int join_epoch(const struct store_options *o, int dirfd, struct serving *s, struct err *e)
{
	char text[STORE_EPOCH_LEN + 1] = "";
	int tries;

	s->epoch_fd = os_lock_open(dirfd, STORE_SERVING_FILE);
	if (s->epoch_fd < 0)
		return err_sys(e, "cannot open %s/%s", o->root, STORE_SERVING_FILE);
	for (tries = 0; tries < 3 && !*text; tries++) {
		s->began = os_lock(s->epoch_fd, true, 0, NULL) == 0;
		if (s->began && begin_epoch(o, dirfd, e) < 0)
			return -1;
		if (os_lock(s->epoch_fd, false, PATIENCE, NULL) < 0)
			return err_sys(e, "cannot lock %s/%s", o->root, STORE_SERVING_FILE);
		if (store_read_epoch(dirfd, text, e) < 0)
			return -1;
	}
	return s->began ? 0 : layout_flush(o, dirfd, e);
}

int epoch_begin(const struct store_options *o, struct serving *s, struct err *e)
{
	cleanup_fd int dirfd = -1;

	*s = (struct serving)SERVING_INIT;
	if (o->readonly)
		return 0;
	dirfd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);
	if (dirfd < 0)
		return err_sys(e, "cannot open the store %s", o->root);
	if (join_epoch(o, dirfd, s, e) == 0 && share(dirfd, STORE_ONLINE_FILE, &s->online_fd, e) == 0)
		return 0;
	epoch_end(s);
	return -1;
}

void epoch_end(struct serving *s)
{
	os_cleanup_fd(&s->epoch_fd);
	os_cleanup_fd(&s->online_fd);
}
