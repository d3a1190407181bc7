/* SPDX-License-Identifier: Apache-2.0 */
/*
 * segment_reader: reading the lines of segments in their order. A part of `segments`.
 *
 * Owns the descriptor of the segment that is read, and what was read ahead of it.
 */
#include "os/segments.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"

#define AHEAD (64 * 1024)

void segment_reader_release(struct segment_reader *r)
{
	os_cleanup_fd(&r->fd);
	r->fd = -1;
	str_release(&r->buf);
}

void segment_reader_seek(struct segment_reader *r, const struct position *to)
{
	os_cleanup_fd(&r->fd);
	r->fd = -1;
	str_reset(&r->buf);
	r->at = 0;
	r->sealed = false;
	r->next = *to;
}

/* The first segment whose number is at least this one: 1, 0 if there is none, -1. */
static int find(const struct segment_reader *r, uint64_t least, uint64_t *out)
{
	cleanup_segment_list struct segment_list l = { 0 };
	size_t i;

	if (segments_list(r->dirfd, r->dir, &l) < 0)
		return -1;
	for (i = 0; i < l.count; i++)
		if (l.v[i] >= least) {
			*out = l.v[i];
			return 1;
		}
	return 0;
}

/* Open the segment of r->next, or, if that is gone, the first one behind it: 1, 0 if there is none, -1. */
static int open_here(struct segment_reader *r)
{
	cleanup_str struct str path = STR_INIT;
	uint64_t number;
	int tries, found;

	for (tries = 0; tries < 100; tries++) {
		found = find(r, r->next.segment, &number);
		if (found <= 0)
			return found;
		segment_path(&path, r->dir, number);
		r->fd = os_open_file(r->dirfd, path.buf, O_RDONLY, 0);
		if (r->fd < 0 && !os_gone(errno))
			return -1;
		if (r->fd < 0)
			continue;
		if (number != r->next.segment) {
			r->lost |= r->next.segment != 0;
			r->next = (struct position){ .segment = number };
		}
		r->open = number;
		return 1;
	}
	errno = EAGAIN;
	return -1;
}

/* Read ahead behind what is in the buffer: the number of bytes, or -1. What a sealed segment has beyond its end is not read. */
static ssize_t fill(struct segment_reader *r)
{
	uint64_t from = r->next.offset + (r->buf.len - r->at);
	char *room;
	ssize_t n;

	if (r->at) {
		memmove(r->buf.buf, r->buf.buf + r->at, r->buf.len - r->at);
		str_cut(&r->buf, r->buf.len - r->at);
		r->at = 0;
	}
	room = str_room(&r->buf, AHEAD);
	do
		n = pread(r->fd, room, AHEAD, (off_t)from);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		char *nul = memchr(room, '\0', (size_t)n);

		if (nul)
			n = nul - room;
		str_grown(&r->buf, (size_t)n);
	}
	return n;
}

/*
 * The next whole line of the buffer: whether there is one. What is appended in one piece counts if it begins before the end of the segment, and each
 * piece begins with an empty line: so the first one at or beyond the end ends it.
 */
static bool take(struct segment_reader *r, const char **line, size_t *len, struct position *at)
{
	while (r->at < r->buf.len) {
		const char *s = r->buf.buf + r->at, *end = memchr(s, '\n', r->buf.len - r->at);

		if (!end)
			return false;
		if (end == s && r->next.offset >= SEGMENT_SIZE) {
			r->sealed = true;
			return false;
		}
		*at = r->next;
		*line = s;
		*len = (size_t)(end - s);
		r->at += *len + 1;
		r->next.offset += *len + 1;
		if (*len)
			return true;
	}
	return false;
}

/* Whether a segment behind this one exists. Then nothing will be added to this one: 1, 0, -1. */
static int has_ended(struct segment_reader *r, uint64_t *following)
{
	return find(r, r->open + 1, following);
}

int segment_reader_next(struct segment_reader *r, const char **line, size_t *len, struct position *at)
{
	uint64_t following = 0;
	bool ended = false;
	ssize_t n;
	int rc;

	for (;;) {
		if (r->fd < 0 && (rc = open_here(r)) <= 0)
			return rc;
		if (take(r, line, len, at))
			return 1;
		n = r->sealed ? 0 : fill(r);
		if (n < 0)
			return -1;
		if (n > 0)
			continue;
		/* Nothing more is here. Look once more after it is known that the segment has ended: a line may have come in between. */
		if (ended) {
			segment_reader_seek(r, &(struct position){ .segment = following });
			ended = false;
			continue;
		}
		rc = has_ended(r, &following);
		if (rc <= 0)
			return rc;
		ended = true;
	}
}

int segment_reader_end(struct segment_reader *r, struct position *last)
{
	cleanup_segment_list struct segment_list l = { 0 };
	struct position at;
	const char *line;
	size_t len;
	int rc;

	*last = (struct position){ 0 };
	if (segments_list(r->dirfd, r->dir, &l) < 0)
		return -1;
	if (l.count)
		last->segment = l.v[l.count - 1];
	segment_reader_seek(r, last);
	while ((rc = segment_reader_next(r, &line, &len, &at)) == 1)
		*last = at;
	return rc;
}
