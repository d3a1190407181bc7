/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_event: the journal's reader for whoever may see the store.
 *
 * Owns no state. Invariant: a line is decided under the lock of its repository, where its maker, if it lives, has either marked it or done
 * all that can be seen of its change.
 */
#include "registry/reg_event.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/file.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/store_path.h"
#include "store/tag.h"

#define READ_MAX (1024 * 1024)          /* bytes of lines that one call reads */
#define LATER_MAX (4 * READ_MAX)        /* and bytes behind a line in which later ones are looked for */

static int unreadable(struct err *e)
{
	return err_sys(e, "cannot read the journal, %s", STORE_JOURNAL_DIR);
}

static struct segment_reader reader_at(const struct registry *r, const struct position *at)
{
	struct segment_reader reader = SEGMENT_READER_INIT;

	reader.dirfd = r->st->dirfd;
	reader.dir = STORE_JOURNAL_DIR;
	reader.next = *at;
	return reader;
}

static bool same(const struct event_line *a, const struct event_line *b)
{
	if (a->repository.len != b->repository.len || strcmp(a->repository.s, b->repository.s) != 0)
		return false;
	if (a->action == EVENT_REMOVE || a->action == EVENT_RENAME || b->action == EVENT_REMOVE || b->action == EVENT_RENAME)
		return true;
	if (a->tag.len)
		return strcmp(a->tag.s, b->tag.s) == 0;
	return a->has_digest && b->has_digest && digest_eq(&a->digest, &b->digest);
}

/* Whether it may be because of this change that a manifest is not there. */
static bool takes(const struct event_line *ev, const struct event_line *of)
{
	return ev->action != EVENT_PUSH && ev->action != EVENT_MOVE && ev->action != EVENT_UNTAG && same(ev, of);
}

/*
 * Whether a later line speaks of the same thing. Beyond a bound it is said to: nobody could tell. 1, 0, -1.
 * gone  of a push whose manifest is not there: only what took the manifest is looked for, since that would have had to come first
 */
static int has_later(struct registry *r, const struct position *at, const struct event_line *of, bool gone, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = reader_at(r, at);
	struct event_line ev;
	struct position here;
	const char *line;
	size_t len, sum = 0;
	int rc;

	while ((rc = segment_reader_next(&reader, &line, &len, &here)) == 1) {
		sum += len;
		if (sum > LATER_MAX)
			return 1;
		if (position_cmp(&here, at) > 0 && event_parse(&ev, line, len) == 0 && ev.mark != EVENT_UNDONE &&
		    (gone ? takes(&ev, of) : same(of, &ev)))
			return 1;
	}
	return rc < 0 ? unreadable(e) : 0;
}

static int tag_is(struct registry *r, const struct event_line *ev, bool *is, struct err *e)
{
	struct digest now;
	int found = tag_read(r->st, &ev->repository, &ev->tag, &now, e);

	*is = found == 1 && ev->has_digest && digest_eq(&now, &ev->digest);
	return found < 0 ? -1 : 0;
}

static int manifest_is_there(struct registry *r, const struct event_line *ev, bool *there, struct err *e)
{
	struct digest content;
	int found = revision_read(r->st, &ev->repository, &ev->digest, &content, e);

	*there = found == 1;
	return found < 0 ? -1 : 0;
}

static int repo_is_there(struct registry *r, const struct name *n, bool *there, struct err *e)
{
	int found = repo_exists(r->st, n, e);

	*there = found == 1;
	return found < 0 ? -1 : 0;
}

/* Whether the tag, the manifest or the repository that a line speaks of is there. */
static int is_there(struct registry *r, const struct event_line *ev, bool *is, struct err *e)
{
	if (ev->action == EVENT_REMOVE)
		return repo_is_there(r, &ev->repository, is, e);
	return ev->tag.len ? tag_is(r, ev, is, e) : manifest_is_there(r, ev, is, e);
}

/* Whether the repository is as this line says. */
static int holds(struct registry *r, const struct event_line *ev, bool *yes, struct err *e)
{
	bool to, is;

	*yes = true;
	switch (ev->action) {
	case EVENT_PUSH:
	case EVENT_MOVE:
		return is_there(r, ev, yes, e);
	case EVENT_UNTAG:
	case EVENT_DELETE:
	case EVENT_REMOVE:
		if (is_there(r, ev, &is, e) < 0)
			return -1;
		*yes = !is;
		return 0;
	case EVENT_RENAME:
		if (repo_is_there(r, &ev->repository, &to, e) < 0 || repo_is_there(r, &ev->from, &is, e) < 0)
			return -1;
		*yes = to && !is;
		return 0;
	case EVENT_BLOB_PUSH:
	case EVENT_MOUNT:
	case EVENT_BLOB_DELETE:
	case EVENT_QUOTA:
	case EVENT_PULL:
	case EVENT_LOST:
	case EVENT_ACTIONS:
		break;          /* never written with the mark EVENT_BEGUN */
	}
	return 0;
}

/* The line at this position: 1, 0 if it is gone, -1. */
static int read_line(struct registry *r, const struct position *at, struct segment_reader *reader, struct event_line *ev, struct err *e)
{
	struct position here;
	const char *line;
	size_t len;
	int rc;

	*reader = reader_at(r, at);
	rc = segment_reader_next(reader, &line, &len, &here);
	if (rc < 0)
		return unreadable(e);
	return rc == 1 && position_cmp(&here, at) == 0 && event_parse(ev, line, len) == 0;
}

/* 1 nobody changes the repository while *fd is open, 0 somebody does, -1 with *e. */
static int lock(struct registry *r, const struct name *n, bool wait, int *fd, struct err *e)
{
	if (r->st->readonly)
		return lock_repository_look(r->st, n, fd, e);
	if (!wait)
		return lock_repository_now(r->st, n, fd, e);
	return lock_repository(r->st, n, fd, e) < 0 ? -1 : 1;
}

/* Whether this change was made, with the lock of its repository held; true if nobody can tell. */
static int was_made(struct registry *r, const struct position *at, const struct event_line *ev, bool *yes, struct err *e)
{
	bool there = true;
	int rc;

	if (holds(r, ev, yes, e) < 0)
		return -1;
	if (*yes)
		return 0;
	if ((ev->action == EVENT_PUSH || ev->action == EVENT_MOVE) && ev->has_digest && manifest_is_there(r, ev, &there, e) < 0)
		return -1;
	rc = has_later(r, at, ev, !there, e);
	*yes = rc == 1;
	return rc < 0 ? -1 : 0;
}

int reg_event_settle(struct registry *r, const struct position *at, bool wait, char *mark, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = SEGMENT_READER_INIT, again = SEGMENT_READER_INIT;
	cleanup_fd int locked = -1;
	struct event_line ev, now;
	bool yes = true;
	int rc = read_line(r, at, &reader, &ev, e);

	if (rc <= 0)
		return rc;
	rc = lock(r, &ev.repository, wait, &locked, e);
	if (rc <= 0)
		return rc;
	rc = read_line(r, at, &again, &now, e);
	if (rc <= 0)
		return rc;
	*mark = now.mark;
	if (now.mark != EVENT_BEGUN)
		return 1;
	if (was_made(r, at, &ev, &yes, e) < 0)
		return -1;
	*mark = yes ? EVENT_DONE : EVENT_UNDONE;
	if (!r->st->readonly)
		segments_mark(&r->st->segments, at, *mark);
	return 1;
}

static bool matches(const struct event_query *q, const struct event_line *ev)
{
	return (!q->repo || pattern_match(q->repo, ev->repository.s, ev->repository.len)) &&
	       (!q->of || q->of->has(q->of->arg, &ev->repository));
}

struct reading {
	struct registry *r;
	struct event_query *q;
	int (*visit)(void *arg, const char *id, const struct event_line *ev, struct err *e);
	void *arg;
	size_t count;
};

static int give(struct reading *g, const struct position *at, const struct event_line *ev, struct err *e)
{
	char id[POSITION_LEN + 1];

	position_text(at, id);
	g->count++;
	return g->visit(g->arg, id, ev, e);
}

/* One line: 1 go on, 0 its repository is busy, -1 with *e. */
static int read_event(struct reading *g, const struct position *at, const char *line, size_t len, struct err *e)
{
	struct event_line ev;
	char mark;
	int rc;

	if (event_parse(&ev, line, len) < 0 || ev.mark == EVENT_UNDONE || !matches(g->q, &ev))
		return 1;
	mark = ev.mark;
	if (mark == EVENT_BEGUN && (rc = reg_event_settle(g->r, at, g->q->wait, &mark, e)) <= 0)
		return rc;
	return mark == EVENT_DONE && give(g, at, &ev, e) < 0 ? -1 : 1;
}

/* The reader's place has been cut off. */
static int tell_loss(struct reading *g, struct segment_reader *reader, struct err *e)
{
	static const char text[] = "+{\"action\":\"lost\"}";
	struct event_line ev;

	reader->lost = false;
	event_parse(&ev, text, sizeof(text) - 1);
	return give(g, &g->q->after, &ev, e);
}

int reg_event_read(struct registry *r, struct event_query *q, int (*visit)(void *arg, const char *id, const struct event_line *ev, struct err *e),
		   void *arg, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = reader_at(r, &q->after);
	struct reading g = { .r = r, .q = q, .visit = visit, .arg = arg };
	size_t len, sum = 0;
	struct position at;
	const char *line;
	int rc;

	q->next = q->after;
	q->more = false;
	while ((rc = segment_reader_next(&reader, &line, &len, &at)) == 1) {
		if (reader.lost && tell_loss(&g, &reader, e) < 0)
			return -1;
		if (position_cmp(&at, &q->after) == 0)
			continue;
		sum += len;
		if (g.count >= q->max || sum > READ_MAX) {
			q->more = true;
			return 0;
		}
		rc = read_event(&g, &at, line, len, e);
		if (rc <= 0)
			return rc;
		q->next = at;
	}
	return rc < 0 ? unreadable(e) : 0;
}

/* The lines of one segment. */
struct piece {
	struct str text;
	struct {
		struct position at;
		size_t from, len;       /* in the text */
	} *v;                           /* owned */
	size_t count, cap;
};

static void piece_release(struct piece *p)
{
	str_release(&p->text);
	free(p->v);
}

/* The lines of a segment before a position. */
static int read_piece(struct registry *r, uint64_t segment, const struct position *before, struct piece *p, struct err *e)
{
	const struct position begin = { .segment = segment };
	cleanup_segment_reader struct segment_reader reader = reader_at(r, &begin);
	struct position at;
	const char *line;
	size_t len;
	int rc;

	while ((rc = segment_reader_next(&reader, &line, &len, &at)) == 1) {
		if (at.segment != segment || position_cmp(&at, before) >= 0)
			break;
		if (p->count == p->cap) {
			p->cap = p->cap ? p->cap * 2 : 256;
			p->v = xreallocarray(p->v, p->cap, sizeof(*p->v));
		}
		p->v[p->count].at = at;
		p->v[p->count].from = p->text.len;
		p->v[p->count++].len = len;
		str_add(&p->text, line, len);
	}
	return rc < 0 ? unreadable(e) : 0;
}

/* 1 go on with the segment before, 0 the page is full, or a repository is busy, -1 with *e. */
static int give_piece(struct reading *g, uint64_t segment, const struct position *before, size_t *sum, struct err *e)
{
	struct piece p = { .text = STR_INIT };
	int rc = read_piece(g->r, segment, before, &p, e) < 0 ? -1 : 1;

	*sum += p.text.len;
	for (size_t i = p.count; rc == 1 && i-- > 0;) {
		if (g->count >= g->q->max) {
			rc = 0;
			break;
		}
		rc = read_event(g, &p.v[i].at, p.text.buf + p.v[i].from, p.v[i].len, e);
		if (rc == 1)
			g->q->next = p.v[i].at;
	}
	if (rc == 1)
		g->q->next = (struct position){ .segment = segment };
	piece_release(&p);
	return rc;
}

int reg_event_read_back(struct registry *r, struct event_query *q, event_visit *visit, void *arg, struct err *e)
{
	const struct position end = { .segment = UINT64_MAX };
	struct position before = q->after.segment ? q->after : end;
	struct reading g = { .r = r, .q = q, .visit = visit, .arg = arg };
	cleanup_segment_list struct segment_list l = { 0 };
	size_t i, sum = 0;
	int rc = 1;

	q->next = q->after;
	q->more = false;
	if (segments_list(r->st->dirfd, STORE_JOURNAL_DIR, &l) < 0)
		return unreadable(e);
	for (i = l.count; rc == 1 && i-- > 0;) {
		if (l.v[i] > before.segment)
			continue;
		if (sum > READ_MAX)
			rc = 0;
		else
			rc = give_piece(&g, l.v[i], &before, &sum, e);
	}
	q->more = rc == 0;
	return rc < 0 ? -1 : 0;
}

int reg_event_end(struct registry *r, struct position *out, struct err *e)
{
	cleanup_segment_reader struct segment_reader reader = reader_at(r, &(struct position){ 0 });

	if (segment_reader_end(&reader, out) < 0)
		return unreadable(e);
	return 0;
}
