/* SPDX-License-Identifier: Apache-2.0 */
/*
 * touched: the log of changed repositories.
 *
 * Owns berth/index/_touched. Invariant: a list that counts has a note behind its place before any change that it does not have.
 */
#include "store/touched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/file.h"
#include "store/store_path.h"
#include "store/summary_write.h"

#define READ_MAX (8u << 20)     /* bytes of notes that are read at once: more make the list count for nothing */

int touched_forget(struct store *st, struct err *e)
{
	return summary_drop(st, STORE_REPOS_FILE, e);
}

/* Where O_APPEND is not atomic among machines the file is locked; and there a note is on disk before the change. */
static int say(struct store *st, int fd, char mark, const struct name *n, bool flush)
{
	cleanup_str struct str line = STR_INIT;
	bool shared = store_flushes_index(st);
	int rc;

	str_addf(&line, "\n%c%s\n", mark, n->s);
	if (shared && flock(fd, LOCK_EX) < 0)
		return -1;
	rc = os_write_full(fd, line.buf, line.len);
	if (rc == 0 && shared && flush)
		rc = store_flush_fd(st, fd);
	if (shared)
		flock(fd, LOCK_UN);
	return rc;
}

/* On a file system of this machine alone a process keeps it open: nobody removes it while any process has the store open. */
static int open_log(struct store *st)
{
	int fd = st->touched_fd;

	if (fd < 0)
		fd = os_open_file(st->dirfd, STORE_TOUCHED_FILE, O_WRONLY | O_APPEND, 0);
	if (st->local)
		st->touched_fd = fd;
	return fd;
}

int touched_begin(struct store *st, const struct name *n, struct touched *t, struct err *e)
{
	*t = (struct touched){ .st = st };
	t->fd = open_log(st);
	if ((t->fd < 0 && os_gone(errno)) || (t->fd >= 0 && say(st, t->fd, '?', n, true) == 0))
		return 0;
	touched_leave(t);
	return touched_forget(st, e);
}

void touched_end(struct touched *t, const struct name *n)
{
	if (t->fd >= 0)
		say(t->st, t->fd, '=', n, false);       /* if it fails the repository is looked at each time */
	touched_leave(t);
}

void touched_leave(struct touched *t)
{
	if (t->fd >= 0 && t->fd != t->st->touched_fd)
		close(t->fd);
	t->fd = -1;
}

int touched_make(struct store *st, uint64_t *size, struct err *e)
{
	struct stat sb;
	cleanup_fd int fd = os_open_look(st->dirfd, STORE_TOUCHED_FILE, O_WRONLY | O_APPEND | O_CREAT, &sb);

	*size = 0;
	if (fd < 0 || !S_ISREG(sb.st_mode))
		return err_sys(e, "cannot make %s", STORE_TOUCHED_FILE);
	*size = (uint64_t)sb.st_size;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;
	int c = strcmp(*x + 1, *y + 1);

	return c ? c : (*x > *y) - (*x < *y);   /* one text: in the order of the lines */
}

/* Each name once, with the mark of its last line. */
static void sort_out(char *text, size_t len, struct names *all, struct names *begun)
{
	size_t count = 0, cap = 0, i;
	char **v = NULL;

	for (char *p = text, *eol; (eol = memchr(p, '\n', (size_t)(text + len - p))) != NULL; p = eol + 1) {
		*eol = '\0';
		if (eol == p || (*p != '?' && *p != '='))
			continue;
		if (count == cap) {
			cap = cap ? cap * 2 : 64;
			v = xreallocarray(v, cap, sizeof(*v));
		}
		v[count++] = p;
	}
	if (count)
		qsort(v, count, sizeof(*v), by_name);
	for (i = 0; i < count; i++) {
		if (i + 1 < count && strcmp(v[i] + 1, v[i + 1] + 1) == 0)
			continue;
		names_add(all, v[i] + 1, strlen(v[i] + 1));
		if (*v[i] == '?')
			names_add(begun, v[i] + 1, strlen(v[i] + 1));
	}
	free(v);
}

int touched_read(struct store *st, uint64_t from, struct names *all, struct names *begun, uint64_t *size, struct err *e)
{
	cleanup_fd int fd = -1;
	cleanup_str struct str text = STR_INIT;
	struct statx sx;
	struct stat sb;

	*size = from;
	/* Mostly there is nothing new, and one look says so; it is no look into a cache. */
	if (os_statx(st->dirfd, STORE_TOUCHED_FILE, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE, &sx) == 0 &&
	    S_ISREG(sx.stx_mode) && sx.stx_size == from)
		return 1;
	fd = os_open_look(st->dirfd, STORE_TOUCHED_FILE, O_RDONLY, &sb);
	if (fd < 0)
		return os_gone(errno) ? 0 : err_sys(e, "cannot open %s", STORE_TOUCHED_FILE);
	if (!S_ISREG(sb.st_mode) || (uint64_t)sb.st_size < from || (uint64_t)sb.st_size - from > READ_MAX)
		return 0;
	if ((uint64_t)sb.st_size > from &&
	    (lseek(fd, (off_t)from, SEEK_SET) < 0 || os_read_str(fd, (uint64_t)sb.st_size - from, &text) < 0))
		return err_sys(e, "cannot read %s", STORE_TOUCHED_FILE);
	*size = from + text.len;
	sort_out(text.buf, text.len, all, begun);
	return 1;
}
