/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_OS_SEGMENTS_H
#define BERTH_OS_SEGMENTS_H

/*
 * segments: an append-only log in a directory of files, which many processes write without a lock (doc/EVENTS.md, "How it works").
 *
 * A segment is named by a number of SEGMENT_DIGITS hex digits. One whose length is SEGMENT_SIZE or more is sealed: a line
 * that was appended at or beyond that offset does not count, and nothing of it is ever read. Lines end with a newline; a NUL is the end of a
 * segment that was sealed early. Only the newest segment is not sealed, but for one that nobody writes any more.
 *
 * A position is a segment and an offset in it. All functions return -1 with errno on errors.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/str.h"

#define SEGMENT_SIZE (1024 * 1024)
#define SEGMENT_DIGITS 14

struct position {
	uint64_t segment;       /* 0: before the first */
	uint64_t offset;
};

/* The text of a position, which sorts as positions do: the segment, '-', eight hex digits. */
#define POSITION_LEN (SEGMENT_DIGITS + 1 + 8)
void position_text(const struct position *p, char out[POSITION_LEN + 1]);
int position_parse(struct position *p, const char *s, size_t len);     /* 0, or -1 if it is none */
int position_cmp(const struct position *a, const struct position *b);

/* The writer's side: the newest segment, kept open. Belongs to one process. */
struct segments {
	int dirfd;              /* the store's root; borrowed */
	const char *dir;        /* below it */
	bool shared;            /* O_APPEND is not atomic among the machines that write: lock the file instead, and */
	bool flush;             /* flush each line before the next one: a dead machine must not leave a hole */
	uint64_t number;        /* of the open segment; 0: none */
	int fd;                 /* O_APPEND */
	int mark_fd;            /* the same file without it, since pwrite(2) appends where it is set */
};

#define SEGMENTS_INIT { .fd = -1, .mark_fd = -1 }
void segments_close(struct segments *s);

/*
 * segments_append - append whole lines; *at is where they begin
 * lines  begin with a newline, too: it ends what a full disk or a power cut may have left of an earlier line
 * Returns 1; 0 if there is no segment, or the newest one is sealed: begin one, and try again; -1 with errno: nothing was added.
 */
int segments_append(struct segments *s, const void *lines, size_t len, struct position *at);

/* segments_mark - overwrite one byte at a position; 0 also if the segment has been removed */
int segments_mark(struct segments *s, const struct position *at, char mark);

/*
 * segments_begin - seal the newest segment, and begin the next one, which is open then
 * The caller holds the lock that excludes other callers, on all machines.
 * unless_open  only if the newest one is sealed; else open that
 * flush        makes everything in a sealed segment durable, by its descriptor: 0, or -1 with errno; NULL: nothing is flushed
 * The caller flushes the directory if *begun.
 */
int segments_begin(struct segments *s, bool unless_open, int (*flush)(void *arg, int fd), void *arg, bool *begun);

/* Segments that exist, in their order. */
struct segment_list {
	uint64_t *v;            /* owned */
	size_t count, cap;
};

void segment_list_release(struct segment_list *l);
#define cleanup_segment_list __attribute__((cleanup(segment_list_release)))
int segments_list(int dirfd, const char *dir, struct segment_list *out);

/* segment_path - the path of a segment */
void segment_path(struct str *out, const char *dir, uint64_t number);

/*
 * segments_cut - remove the oldest sealed segments, never the newest one
 * before   those whose last line was written before this time (seconds since the epoch); 0: none for their age
 * max      and as many as are needed for all to occupy at most so many bytes
 * least    and so many in any case
 * Returns the number of those that were removed, or -1.
 */
int segments_cut(int dirfd, const char *dir, int64_t before, uint64_t max, unsigned least);

/* The reader's side. */
struct segment_reader {
	int dirfd;
	const char *dir;
	struct position next;   /* where it goes on */
	bool lost;              /* out: the segment of `next` had been removed: lines may be missing. The caller clears it */
	struct str buf;         /* lines that were read and not given yet */
	size_t at;              /* of the next one in `buf` */
	bool sealed;            /* the end of the open segment was met */
	int fd;                 /* of `open`, or -1 */
	uint64_t open;
};

#define SEGMENT_READER_INIT { .buf = STR_INIT, .fd = -1 }
void segment_reader_release(struct segment_reader *r);
#define cleanup_segment_reader __attribute__((cleanup(segment_reader_release)))

/* segment_reader_seek - go on at a position, and forget what was read ahead */
void segment_reader_seek(struct segment_reader *r, const struct position *to);

/*
 * segment_reader_next - the next whole line that is not empty, without its newline: borrowed until the next call
 * at  where it begins; r->next is behind it then
 * Returns 1; 0 at the end, where lines may be added later; -1 with errno.
 */
int segment_reader_next(struct segment_reader *r, const char **line, size_t *len, struct position *at);

/*
 * segment_reader_end - go on behind everything that exists now; *last is where the last line begins, and the newest segment's begin if that has none
 * Returns 0, or -1 with errno.
 */
int segment_reader_end(struct segment_reader *r, struct position *last);

#endif
