/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writeout: has the disk write a large body while the web server still receives it.
 *
 * Owns the descriptor of what it watches, and a body's for a single call. Remembers no file: the kernel knows which pages are
 * still to be written, and a body that is gone is not found. Knows nothing of uploads.
 */
#include "store/writeout.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/process.h"
#include "store/store_path.h"

#define PAUSE (100 * 1000)      /* microseconds between two looks */
#define BODIES 64               /* at one look; any others are looked at when they grow again */

/* What has grown since the last look. */
struct batch {
	const char *names[BODIES];      /* in the buffer of events */
	size_t count;
};

uint64_t writeout_file(const struct store *st, const char *name)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int fd = -1;
	struct stat sb;
	uint64_t whole;
	int64_t when;

	path_in(&path, STORE_BODY_DIR, name);
	/* Most bodies are small, or gone by now: one call instead of three. */
	if (os_age(st->dirfd, path.buf, &when, &whole) < 0 || whole < WRITEOUT_PIECE)
		return 0;
	fd = os_open_look(st->dirfd, path.buf, O_RDONLY, &sb);
	if (fd < 0 || !S_ISREG(sb.st_mode))
		return 0;
	/* Whole pieces alone: a slow body shall not lie on the disk in small parts, nor its last page be written again and again. */
	whole = (uint64_t)sb.st_size / WRITEOUT_PIECE * WRITEOUT_PIECE;
	if (whole && sync_file_range(fd, 0, (off_t)whole, SYNC_FILE_RANGE_WRITE) < 0)
		return 0;
	return whole;
}

static void add(struct batch *b, const char *name)
{
	size_t i;

	for (i = 0; i < b->count && strcmp(b->names[i], name) != 0; i++)
		;
	if (i == b->count && i < BODIES)
		b->names[b->count++] = name;
}

/* Returns -1 where the directory itself has gone. If the kernel has dropped events, the next ones name the same bodies. */
static int gather(struct batch *b, const char *events, size_t len)
{
	const char *at, *end = events + len;

	b->count = 0;
	for (at = events; at < end;) {
		const struct inotify_event *ev = (const void *)at;

		if (ev->mask & (IN_IGNORED | IN_UNMOUNT))
			return -1;
		if ((ev->mask & IN_MODIFY) && ev->len)
			add(b, ev->name);
		at += sizeof(*ev) + ev->len;
	}
	return 0;
}

int writeout_run(struct store *st, struct err *e)
{
	static char events[64 * 1024] __attribute__((aligned(__alignof__(struct inotify_event))));
	cleanup_fd int in = inotify_init1(IN_CLOEXEC);
	struct batch b;
	ssize_t n;
	size_t i;

	if (in < 0)
		return err_sys(e, "cannot watch a directory; a limit of fs.inotify may be too low");
	/* Only a path names what is to be watched. A body whose name has gone is of no interest: nginx gives up a request. */
	if (fchdir(st->dirfd) < 0 || inotify_add_watch(in, STORE_BODY_DIR, IN_MODIFY | IN_EXCL_UNLINK | IN_ONLYDIR) < 0)
		return err_sys(e, "cannot watch " STORE_BODY_DIR "; a limit of fs.inotify may be too low");
	for (;;) {
		n = read(in, events, sizeof(events));
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "cannot watch " STORE_BODY_DIR);
		if (gather(&b, events, (size_t)n) < 0)
			return err_set(e, ERR_UNKNOWN, STORE_BODY_DIR " has gone");
		for (i = 0; i < b.count; i++)
			writeout_file(st, b.names[i]);
		os_pause(PAUSE);
	}
}
