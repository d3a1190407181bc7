/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segments: writing, sealing and removing the segments of a log. segment_reader.c reads them.
 *
 * Owns the descriptors of a writer's newest segment. Invariant: a segment never gets shorter than where a line that counts ends, and
 * everything in it is durable before the next one exists.
 */
#include "os/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/again.h"
#include "os/dir.h"
#include "os/file.h"
#include "os/lock.h"

#define WRITE_WAIT 10000        /* milliseconds: for a lock that is held for one write */
#define SEALED_AT (8 * SEGMENT_SIZE)    /* beyond what the last piece can reach */
#define BEHIND 65536            /* bytes that are reserved beyond a segment's end, for the line that ends there */

void position_text(const struct position *p, char out[POSITION_LEN + 1])
{
	snprintf(out, POSITION_LEN + 1, "%0*" PRIx64 "-%08" PRIx64, SEGMENT_DIGITS, p->segment, p->offset);
}

int position_parse(struct position *p, const char *s, size_t len)
{
	*p = (struct position){ 0 };
	if (len != POSITION_LEN || s[SEGMENT_DIGITS] != '-' || str_parse_hex(s, SEGMENT_DIGITS, &p->segment) < 0 ||
	    str_parse_hex(s + SEGMENT_DIGITS + 1, 8, &p->offset) < 0) {
		*p = (struct position){ 0 };
		return -1;
	}
	return 0;
}

int position_cmp(const struct position *a, const struct position *b)
{
	if (a->segment != b->segment)
		return a->segment < b->segment ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

void segments_close(struct segments *s)
{
	os_cleanup_fd(&s->fd);
	os_cleanup_fd(&s->mark_fd);
	s->fd = s->mark_fd = -1;
	s->number = 0;
}

void segment_path(struct str *out, const char *dir, uint64_t number)
{
	str_reset(out);
	str_addf(out, "%s/%0*" PRIx64, dir, SEGMENT_DIGITS, number);
}

void segment_list_release(struct segment_list *l)
{
	free(l->v);
	*l = (struct segment_list){ 0 };
}

static void list_one(void *arg, const char *name, size_t len)
{
	struct segment_list *l = arg;
	uint64_t number;

	if (len != SEGMENT_DIGITS || str_parse_hex(name, len, &number) < 0 || number == 0)
		return;
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 64;
		l->v = xreallocarray(l->v, l->cap, sizeof(*l->v));
	}
	l->v[l->count++] = number;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int segments_list(int dirfd, const char *dir, struct segment_list *out)
{
	*out = (struct segment_list){ 0 };
	if (os_dir_each(dirfd, dir, DIR_ALL, list_one, out) < 0) {
		segment_list_release(out);
		return errno == ENOENT ? 0 : -1;
	}
	if (out->count)
		qsort(out->v, out->count, sizeof(*out->v), compare);
	return 0;
}

static int open_segment(struct segments *s, uint64_t number)
{
	cleanup_str struct str path = STR_INIT;

	segments_close(s);
	segment_path(&path, s->dir, number);
	s->fd = os_open_file(s->dirfd, path.buf, O_WRONLY | O_APPEND, 0);
	if (s->fd >= 0)
		s->mark_fd = os_open_file(s->dirfd, path.buf, O_RDWR, 0);
	if (s->mark_fd < 0) {
		int saved = errno;

		segments_close(s);
		errno = saved;
		return -1;
	}
	s->number = number;
	return 0;
}

/* Open the newest one: 1, 0 if there is none, -1. */
static int open_newest(struct segments *s)
{
	cleanup_segment_list struct segment_list l = { 0 };

	if (segments_list(s->dirfd, s->dir, &l) < 0)
		return -1;
	if (!l.count)
		return 0;
	return open_segment(s, l.v[l.count - 1]) < 0 ? -1 : 1;
}

/* The end of the file, which other machines may have moved: they are asked. */
static int true_end(int fd, uint64_t *out)
{
	struct statx sx;

	if (os_statx(fd, "", AT_EMPTY_PATH | AT_STATX_FORCE_SYNC, STATX_SIZE, &sx) < 0)
		return -1;
	*out = sx.stx_size;
	return 0;
}

/* What a full disk has cut short is an error. It stays: the newline at the beginning of what is appended next ends it. */
static int write_whole(int fd, const void *buf, size_t len, off_t at)
{
	ssize_t n;

	do
		n = at < 0 ? write(fd, buf, len) : pwrite(fd, buf, len, at);
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return 0;
	if (n >= 0)
		errno = ENOSPC;
	return -1;
}

static int append_shared(struct segments *s, const void *lines, size_t len, uint64_t *at)
{
	int rc = -1, saved;

	if (os_lock(s->mark_fd, true, WRITE_WAIT, NULL) < 0)
		return -1;
	if (true_end(s->mark_fd, at) == 0)
		rc = *at >= SEGMENT_SIZE ? 0 : write_whole(s->mark_fd, lines, len, (off_t)*at) < 0 ? -1 : 1;
	if (rc == 1 && s->flush && os_fsync(s->mark_fd) < 0)
		rc = -1;
	saved = errno;
	os_unlock(s->mark_fd);
	errno = saved;
	return rc;
}

static int append_alone(struct segments *s, const void *lines, size_t len, uint64_t *at)
{
	off_t end;

	if (write_whole(s->fd, lines, len, -1) < 0) {
		/* Behind its end a sealed segment has no space of its own: that is not the disk's last word. */
		return errno == ENOSPC && true_end(s->fd, at) == 0 && *at >= SEGMENT_SIZE ? 0 : -1;
	}
	end = lseek(s->fd, 0, SEEK_CUR);
	if (end < (off_t)len)
		return -1;
	*at = (uint64_t)end - len;
	return *at < SEGMENT_SIZE;
}

int segments_append(struct segments *s, const void *lines, size_t len, struct position *at)
{
	int rc = s->number ? 1 : open_newest(s);

	*at = (struct position){ 0 };
	if (rc == 1)
		rc = (s->shared ? append_shared : append_alone)(s, lines, len, &at->offset);
	if (rc == 1)
		at->segment = s->number;
	if (rc == 0)
		segments_close(s);
	return rc;
}

int segments_mark(struct segments *s, const struct position *at, char mark)
{
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int other = -1;
	int fd = s->mark_fd;
	ssize_t n;

	if (at->segment != s->number) {
		segment_path(&path, s->dir, at->segment);
		fd = other = os_open_file(s->dirfd, path.buf, O_WRONLY, 0);
		if (fd < 0)
			return os_gone(errno) ? 0 : -1;
	}
	do
		n = pwrite(fd, &mark, 1, (off_t)at->offset);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

/* Where the lines of a segment end that was extended; those behind `from` came in meanwhile. */
static uint64_t lines_end(int fd, uint64_t from)
{
	char buf[4096], *nul;
	ssize_t n;

	while ((n = pread(fd, buf, sizeof(buf), (off_t)from)) > 0) {
		nul = memchr(buf, '\0', (size_t)n);
		if (nul)
			return from + (uint64_t)(nul - buf);
		from += (uint64_t)n;
	}
	return from;
}

/*
 * A byte far beyond the end makes it as long as a sealed one; it can neither cut off nor overwrite a line that comes in meanwhile. Once it is
 * there no line is added, and the space that was reserved for more is given back, but for the block where the lines end.
 */
static int extend(struct segments *s, uint64_t end)
{
	uint64_t hole;

	if (pwrite(s->mark_fd, "", 1, SEALED_AT) != 1)
		return -1;
	hole = (lines_end(s->mark_fd, end) + 4095) / 4096 * 4096;
	if (hole < SEGMENT_SIZE)
		fallocate(s->mark_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)hole, (off_t)(SEALED_AT / 2 - hole));
	return 0;
}

static int seal(struct segments *s, uint64_t end, int (*flush)(void *arg, int fd), void *arg)
{
	int rc = 0;

	if (s->shared && os_lock(s->mark_fd, true, WRITE_WAIT, NULL) < 0)
		return -1;
	if (end < SEGMENT_SIZE)
		rc = extend(s, end);
	if (s->shared)
		os_unlock(s->mark_fd);
	return rc == 0 && flush ? flush(arg, s->mark_fd) : rc;
}

static uint64_t clock_usec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int make(struct segments *s, uint64_t after)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t number = clock_usec();
	cleanup_fd int fd = -1;

	if (number <= after)            /* a clock that was set back */
		number = after + 1;
	segment_path(&path, s->dir, number);
	fd = os_open_file(s->dirfd, path.buf, O_WRONLY | O_CREAT | O_EXCL, 0640);
	if (fd < 0)
		return -1;
	/* Not every file system can: then the space is found when it is needed. */
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, SEGMENT_SIZE + BEHIND);
	return open_segment(s, number);
}

/* Whether a sealed segment has no line. */
static bool is_empty(int dirfd, const char *path)
{
	cleanup_fd int fd = os_open_file(dirfd, path, O_RDONLY, 0);

	return fd >= 0 && lines_end(fd, 0) == 0;
}

int segments_begin(struct segments *s, bool unless_open, int (*flush)(void *arg, int fd), void *arg, bool *begun)
{
	cleanup_str struct str old = STR_INIT;
	uint64_t last, end = 0;
	int rc = open_newest(s);

	*begun = false;
	last = s->number;
	if (rc < 0 || (rc == 1 && true_end(s->mark_fd, &end) < 0))
		return -1;
	if (rc == 1 && end < SEGMENT_SIZE && unless_open)
		return 0;
	if (rc == 1 && seal(s, end, flush, arg) < 0)
		return -1;
	if (make(s, last) < 0)
		return -1;
	*begun = true;
	if (rc == 1 && end == 0) {      /* each start would leave an empty one */
		segment_path(&old, s->dir, last);
		if (is_empty(s->dirfd, old.buf))
			os_unlinkat(s->dirfd, old.buf, 0);
	}
	return 0;
}

int segments_cut(int dirfd, const char *dir, int64_t before, uint64_t max, unsigned least)
{
	cleanup_segment_list struct segment_list l = { 0 };
	cleanup_str struct str path = STR_INIT;
	cleanup_free struct stat *is = NULL;
	uint64_t used = 0;
	int removed = 0;
	size_t i;

	if (segments_list(dirfd, dir, &l) < 0)
		return -1;
	is = xcalloc(l.count + 1, sizeof(*is));         /* of one that is gone: no blocks, and too short to be removed */
	for (i = 0; i < l.count; i++) {
		segment_path(&path, dir, l.v[i]);
		if (os_fstatat(dirfd, path.buf, &is[i], AT_SYMLINK_NOFOLLOW) < 0 && !os_gone(errno))
			return -1;
		used += (uint64_t)is[i].st_blocks * 512;
	}
	for (i = 0; i + 1 < l.count; i++) {
		bool wanted = used <= max && (unsigned)removed >= least && !(before && is[i].st_mtime < before);

		if (wanted || is[i].st_size < SEGMENT_SIZE)
			continue;
		segment_path(&path, dir, l.v[i]);
		if (os_unlinkat(dirfd, path.buf, 0) < 0) {
			if (!os_gone(errno))
				return -1;
			continue;
		}
		used -= (uint64_t)is[i].st_blocks * 512;
		removed++;
	}
	return removed;
}
