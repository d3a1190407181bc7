/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal: when a line is written, flushed, marked and cut off.
 *
 * Owns berth/journal/ and berth/locks/journal. Invariant: a line is durable before the change that it speaks of can be. Knows no
 * change.
 */
#include "store/journal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "os/again.h"
#include "os/file.h"
#include "store/lock.h"
#include "store/store_path.h"

#define TRIES 100       /* segments that others fill before this process has written its line */

void journal_release(struct journal_entry *j)
{
	str_release(&j->lines);
	j->at = (struct position){ 0 };
}

bool journal_on(const struct store *st)
{
	return st->journal.on && !st->readonly;
}

bool journal_kept(const struct store *st)
{
	return st->journal.on;
}

void journal_add(struct store *st, struct journal_entry *j, const struct event *ev)
{
	if (!journal_on(st))
		return;
	if (!j->lines.len)
		str_addc(&j->lines, '\n');      /* see segments_append() */
	event_add_line(&j->lines, EVENT_BEGUN, ev);
}

static int flush_segment(void *arg, int fd)
{
	return store_flush_fd(arg, fd);
}

static int cut(struct store *st, unsigned least)
{
	int64_t now = (int64_t)time(NULL), keep = (int64_t)st->journal.keep;

	return segments_cut(st->dirfd, STORE_JOURNAL_DIR, keep && keep < now ? now - keep : 0, st->journal.max, least);
}

static int failed(struct err *e)
{
	return err_sys(e, "cannot write the journal, %s", STORE_JOURNAL_DIR);
}

/* Begin a segment: `anew` even if the newest one has room. */
static int begin_segment(struct store *st, bool anew, struct err *e)
{
	cleanup_fd int lock = -1;
	bool begun;
	int rc;

	if (lock_file(st, STORE_JOURNAL_LOCK_FILE, LOCK_JOURNAL, &lock, e) < 0)
		return -1;
	rc = segments_begin(&st->segments, !anew, flush_segment, st, &begun);
	if (rc < 0 && errno == ENOSPC && cut(st, 1) > 0)
		rc = segments_begin(&st->segments, !anew, flush_segment, st, &begun);
	if (rc < 0 || (begun && (store_flush_dir(st, STORE_JOURNAL_DIR) < 0 || cut(st, 0) < 0)))
		return failed(e);
	return 0;
}

/* The oldest events give way on a full disk. Returns whether one did; errno stays. */
static bool make_room(struct store *st)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_fd int lock = -1;
	int why = errno;
	bool made = why == ENOSPC && lock_file(st, STORE_JOURNAL_LOCK_FILE, LOCK_JOURNAL, &lock, &ignored) == 0 && cut(st, 1) > 0;

	errno = why;
	return made;
}

/* A process outside of an epoch cannot know what a power cut did to the newest segment. */
static int write_lines(struct store *st, const struct str *lines, struct position *at, struct err *e)
{
	bool anew = !st->epoch[0] && !st->segments.number;
	int tries, rc;

	for (tries = 0; tries < TRIES; tries++) {
		rc = anew ? 0 : segments_append(&st->segments, lines->buf, lines->len, at);
		if (rc == 1)
			return 0;
		if (rc < 0 && !make_room(st))
			return failed(e);
		if (rc == 0 && begin_segment(st, anew, e) < 0)
			return -1;
		anew = false;
	}
	return err_set(e, ERR_UNAVAILABLE, "others are busy with the journal");
}

int journal_begin(struct store *st, struct journal_entry *j, struct err *e)
{
	if (!j->lines.len)
		return 0;
	if (write_lines(st, &j->lines, &j->at, e) < 0)
		return -1;
	/* On a file system of several machines the append has flushed it. */
	return st->segments.shared || store_flush_fd(st, st->segments.mark_fd) == 0 ? 0 : failed(e);
}

/* Mark the line that begins here in the entry. If it fails a reader finds out by itself. */
static void mark_line(struct store *st, const struct journal_entry *j, const char *line, char mark)
{
	struct position at = { .segment = j->at.segment, .offset = j->at.offset + (uint64_t)(line - j->lines.buf) };

	segments_mark(&st->segments, &at, mark);
}

void journal_mark(struct store *st, const struct journal_entry *j, size_t line, char mark)
{
	const char *s = j->lines.buf + 1;

	if (!j->at.segment)
		return;
	for (; line; line--)
		s = strchr(s, '\n') + 1;
	mark_line(st, j, s, mark);
}

static void mark_all(struct store *st, const struct journal_entry *j, char mark)
{
	const char *s, *end = j->lines.buf + j->lines.len;

	if (!j->at.segment)
		return;
	for (s = j->lines.buf + 1; s < end; s = strchr(s, '\n') + 1)
		mark_line(st, j, s, mark);
}

void journal_done(struct store *st, const struct journal_entry *j)
{
	mark_all(st, j, EVENT_DONE);
}

void journal_undone(struct store *st, const struct journal_entry *j)
{
	mark_all(st, j, EVENT_UNDONE);
}

void journal_note(struct store *st, const struct event *ev)
{
	cleanup_str struct str line = STR_INIT;
	cleanup_err struct err e = ERR_INIT;
	struct position at;
	struct log_event said;

	if (!journal_on(st))
		return;
	str_addc(&line, '\n');
	event_add_line(&line, EVENT_DONE, ev);
	if (write_lines(st, &line, &at, &e) == 0)
		return;
	log_begin(&said, LOG_ERROR, "journal");
	log_str(&said, "action", event_action_name(ev->action));
	log_str(&said, "repository", ev->repository->s);
	log_err(&said, &e);
	log_end(&said);
}

int journal_rule(struct store *st, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (!st->journal.on) {
		if (os_unlinkat(st->dirfd, STORE_JOURNAL_RULES_FILE, 0) == 0 || os_gone(errno))
			return 0;
		return err_sys(e, "cannot remove %s", STORE_JOURNAL_RULES_FILE);
	}
	str_addf(&text, "%" PRIu64 " %" PRIu64 "\n", st->journal.keep, st->journal.max);
	if (store_replace(st, STORE_JOURNAL_RULES_FILE, text.buf, text.len, true) < 0)
		return err_sys(e, "cannot write %s", STORE_JOURNAL_RULES_FILE);
	return 0;
}

int journal_start(struct store *st, struct err *e)
{
	cleanup_segment_list struct segment_list l = { 0 };

	if (segments_list(st->dirfd, STORE_JOURNAL_DIR, &l) < 0)
		return failed(e);
	return l.count ? begin_segment(st, true, e) : 0;
}

/* The newest segment is never cut off: if it is old, another one is begun. */
int journal_tend(struct store *st, struct err *e)
{
	cleanup_segment_list struct segment_list l = { 0 };
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int lock = -1;
	uint64_t size = 0;
	int64_t when = 0;

	if (segments_list(st->dirfd, STORE_JOURNAL_DIR, &l) < 0)
		return failed(e);
	if (!l.count)
		return 0;
	segment_path(&path, STORE_JOURNAL_DIR, l.v[l.count - 1]);
	if (os_age(st->dirfd, path.buf, &when, &size) == 0 && size && st->journal.keep &&
	    when < (int64_t)time(NULL) - (int64_t)st->journal.keep)
		return begin_segment(st, true, e);
	if (lock_file(st, STORE_JOURNAL_LOCK_FILE, LOCK_JOURNAL, &lock, e) < 0)
		return -1;
	return cut(st, 0) < 0 ? failed(e) : 0;
}
