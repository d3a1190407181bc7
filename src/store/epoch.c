/* SPDX-License-Identifier: Apache-2.0 */
/*
 * epoch: joining and beginning epochs.
 *
 * Owns berth/locks/serving, berth/locks/online-2 and berth/index/_epoch. A process that only wants to know whether any master
 * serves tries the lock of `online`: if it tried `serving`, a master that starts at that moment would believe that others serve.
 */
#include "store/epoch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/again.h"
#include "os/file.h"
#include "os/fs.h"
#include "os/lock.h"
#include "store/journal.h"
#include "store/layout.h"
#include "store/store_path.h"

#define PATIENCE 600000 /* milliseconds: another master that begins an epoch may flush gigabytes first */

static int write_new(struct store *st, struct err *e)
{
	char text[STORE_EPOCH_LEN + 1];
	uint64_t random[2];

	os_random(random, sizeof(random));
	snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64, random[0], random[1]);
	if (store_replace(st, STORE_EPOCH_FILE, text, STORE_EPOCH_LEN, true) < 0 || store_flush_above(st, STORE_EPOCH_FILE, 1) < 0)
		return err_sys(e, "cannot write %s", STORE_EPOCH_FILE);
	return 0;
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
static int begin_epoch(struct store *st, const char *root, struct err *e)
{
	bool flush = st->flush;
	int rc;

	if (os_unlinkat(st->dirfd, STORE_EPOCH_FILE, 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove %s", STORE_EPOCH_FILE);
	st->flush = flush && !fs_syncfs_reaches(st->dirfd);
	rc = layout_flush(st, root, e);
	if (rc == 0 && flush && syncfs(st->dirfd) < 0)
		rc = err_sys(e, "cannot flush the store");
	if (rc == 0)
		rc = write_new(st, e);
	st->flush = flush;
	return rc;
}

/*
 * If the exclusive lock is free, nobody served until now. Changing it to a shared one is not atomic; at worst another
 * process begins another epoch. If there is no epoch after waiting, the process that was beginning it died, and this one
 * tries again; only a few times, since somebody may have removed the file by hand while others serve.
 */
static int join_epoch(struct store *st, const char *root, struct serving *s, struct err *e)
{
	int tries;

	s->epoch_fd = os_lock_open(st->dirfd, STORE_SERVING_FILE);
	if (s->epoch_fd < 0)
		return err_sys(e, "cannot open %s/%s", root, STORE_SERVING_FILE);
	for (tries = 0; tries < 3 && !*st->epoch; tries++) {
		s->began = os_lock(s->epoch_fd, true, 0, NULL) == 0;
		if (s->began && begin_epoch(st, root, e) < 0)
			return -1;
		if (os_lock(s->epoch_fd, false, PATIENCE, NULL) < 0)
			return err_sys(e, "cannot lock %s/%s", root, STORE_SERVING_FILE);
		if (store_read_epoch(st, e) < 0)
			return -1;
	}
	return s->began ? journal_start(st, e) : layout_flush(st, root, e);
}

int epoch_begin(const struct store_options *o, struct serving *s, struct err *e)
{
	cleanup_store struct store *st = NULL;

	*s = (struct serving)SERVING_INIT;
	if (o->readonly)
		return 0;
	if (store_open_root(&st, o, e) < 0)
		return -1;
	if (join_epoch(st, o->root, s, e) == 0 && share(st->dirfd, STORE_ONLINE_FILE, &s->online_fd, e) == 0)
		return 0;
	epoch_end(s);
	return -1;
}

void epoch_end(struct serving *s)
{
	os_cleanup_fd(&s->epoch_fd);
	os_cleanup_fd(&s->online_fd);
}

int epoch_stamped(struct store *st, const char *path, struct err *e)
{
	char text[STORE_EPOCH_LEN];
	ssize_t n;

	if (!*st->epoch)
		return 0;
	n = os_read_file(st->dirfd, path, text, sizeof(text));
	if (n < 0 && !os_gone(errno) && errno != EUCLEAN)
		return err_sys(e, "cannot read %s", path);
	return n == STORE_EPOCH_LEN && memcmp(text, st->epoch, STORE_EPOCH_LEN) == 0;
}

int epoch_stamp(struct store *st, const char *path, struct err *e)
{
	if (*st->epoch && store_replace(st, path, st->epoch, STORE_EPOCH_LEN, false) < 0)
		return err_sys(e, "cannot write %s", path);
	return 0;
}
