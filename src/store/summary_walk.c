/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_walk: the rows of a summary in one of two orders.
 *
 * Owns no state. Invariant: a row of the base counts only if the tail says nothing of its key.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/summary_own.h"

#define HOLD_MAX (32u << 20)            /* bytes that are held at once */
#define AT_ONCE 2                       /* blocks that are read: a page may begin close to the end of one */

/* A walk: the base block by block, and beside it what the tail has set. */
struct walk {
	struct summary *s;
	enum summary_order by;
	bool desc;
	const struct summary_row *after;
	struct summary_row *set;        /* of the tail, in the order of `by` */
	size_t nset;
	struct summary_row *block;      /* rows of the block that was read */
	size_t nblock, cap;
	size_t blocks;                  /* how many there are */
	size_t *index;                  /* where each entry of the index begins in s->head */
	int (*visit)(void *arg, const struct summary_row *row, struct err *e);
	void *arg;
};

static int corrupt(struct err *e)
{
	errno = EUCLEAN;
	return err_sys(e, "a summary is corrupt");
}

static bool follows(const struct walk *w, const struct summary_row *row)
{
	int c = w->after ? summary_cmp(w->by, row, w->after) : 0;

	return !w->after || (w->desc ? c < 0 : c > 0);
}

static int in_order(const void *a, const void *b, void *w)
{
	return summary_cmp(((const struct walk *)w)->by, a, b);
}

static void find_set(struct walk *w)
{
	struct summary *s = w->s;

	w->set = xcalloc(s->nv + 1, sizeof(*w->set));
	for (size_t i = 0; i < s->nv; i++)
		if (s->v[i].state == SUMMARY_SET && follows(w, &s->v[i].row))
			w->set[w->nset++] = s->v[i].row;
	if (w->nset)
		qsort_r(w->set, w->nset, sizeof(*w->set), in_order, w);
}

/* The entries of the index of this order. */
static void find_blocks(struct walk *w)
{
	const struct summary *s = w->s;
	size_t at = SUMMARY_HEAD_LEN + (w->by == SUMMARY_BY_KEY ? 0 : (size_t)s->index_len[0]), cap = 0;
	size_t end = at + (size_t)s->index_len[w->by == SUMMARY_BY_PUSH];

	while (at < end) {
		const char *eol = memchr(s->head.buf + at, '\n', end - at);

		if (!eol)
			return;
		if (w->blocks == cap) {
			cap = cap ? cap * 2 : 64;
			w->index = xreallocarray(w->index, cap, sizeof(*w->index));
		}
		w->index[w->blocks++] = at;
		at = (size_t)(eol + 1 - s->head.buf);
	}
}

/* The first row of a block, and where that begins in its run. */
static bool first_of(const struct walk *w, size_t i, struct summary_row *row, uint64_t *offset)
{
	const char *line = w->s->head.buf + w->index[i];
	size_t len = strcspn(line, "\n");

	*row = (struct summary_row){ 0 };
	if (len < 2 * SUMMARY_HEX + 3 || !summary_number(line, offset) || str_parse_hex(line + SUMMARY_HEX + 1, SUMMARY_HEX, &row->pushed) < 0)
		return false;
	row->key = line + 2 * SUMMARY_HEX + 2;
	row->key_len = len - 2 * SUMMARY_HEX - 2;
	return *offset < w->s->run_len;
}

/* Have these bytes of the file in s->block: a walk that goes back and then forth reads them once. False with errno. */
static bool hold(struct summary *s, uint64_t from, uint64_t to)
{
	if (s->block.len && from >= s->block_at && to <= s->block_at + s->block.len)
		return true;
	str_reset(&s->block);
	s->block_at = from;
	if (to > s->head.len)
		return summary_read_at(s, from, (size_t)(to - from), &s->block) == 0;
	str_add(&s->block, s->head.buf + from, (size_t)(to - from));
	return true;
}

/* Where the rows of an order begin in the file. */
static uint64_t run_of(const struct summary *s, enum summary_order by)
{
	return SUMMARY_HEAD_LEN + s->index_len[0] + s->index_len[1] + (by == SUMMARY_BY_KEY ? 0 : s->run_len);
}

int summary_hold(struct summary *s, enum summary_order by, struct err *e)
{
	uint64_t run = run_of(s, by);

	return s->run_len > HOLD_MAX || hold(s, run, run + s->run_len) ? 0 : err_sys(e, "cannot read a summary");
}

/* The blocks from i up to, but without, `end`. */
static int read_blocks(struct walk *w, size_t i, size_t end_block, struct err *e)
{
	struct summary *s = w->s;
	uint64_t from, to = s->run_len, run = run_of(s, w->by);
	struct summary_row first;
	const char *p, *end, *last, *eol;

	if (!first_of(w, i, &first, &from) || (end_block < w->blocks && !first_of(w, end_block, &first, &to)) || to <= from ||
	    to - from > SUMMARY_INDEX_MAX * 8ull)
		return corrupt(e);
	if (!hold(s, run + from, run + to))
		return err_sys(e, "cannot read a summary");
	w->nblock = 0;
	p = s->block.buf + (run + from - s->block_at);
	last = s->block.buf + s->block.len;
	for (end = (uint64_t)(last - p) > to - from ? p + (to - from) : last; (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		if (w->nblock == w->cap) {
			w->cap = w->cap ? w->cap * 2 : 256;
			w->block = xreallocarray(w->block, w->cap, sizeof(*w->block));
		}
		if (summary_parse_row(p, (size_t)(eol - p), &w->block[w->nblock++]) < 0)
			return corrupt(e);
	}
	return p == end && s->block_at + (uint64_t)(p - s->block.buf) == run + to ? 0 : corrupt(e);
}

/* The block in which a walk begins. */
static size_t begin_block(const struct walk *w)
{
	size_t lo = 0, hi = w->blocks;
	struct summary_row first;
	uint64_t offset;

	if (!w->after)
		return w->desc && w->blocks ? w->blocks - 1 : 0;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (first_of(w, mid, &first, &offset) && summary_cmp(w->by, &first, w->after) <= 0)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static int visit(const struct walk *w, const struct summary_row *row, struct err *e)
{
	struct summary_row copy = *row;

	summary_complete(w->s, &copy);
	return w->visit(w->arg, &copy, e);
}

/* The rows of the tail that come before this one of the base; all that are left if it is NULL. *at: how many have been visited. */
static int visit_set(const struct walk *w, const struct summary_row *before, size_t *at, struct err *e)
{
	int rc = 0;

	while (rc == 0 && *at < w->nset) {
		const struct summary_row *row = &w->set[w->desc ? w->nset - 1 - *at : *at];
		int c = before ? summary_cmp(w->by, row, before) : 0;

		if (before && (w->desc ? c < 0 : c > 0))
			break;
		++*at;
		rc = visit(w, row, e);
	}
	return rc;
}

static int walk_blocks(const struct walk *w, size_t *at, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->nblock; i++) {
		const struct summary_row *row = &w->block[w->desc ? w->nblock - 1 - i : i];

		if (!follows(w, row) || summary_has_key(w->s, row->key, row->key_len))
			continue;
		rc = visit_set(w, row, at, e);
		if (rc == 0)
			rc = visit(w, row, e);
	}
	return rc;
}

int summary_walk(struct summary *s, enum summary_order by, bool desc, const struct summary_row *after,
		 int (*visit_row)(void *arg, const struct summary_row *row, struct err *e), void *arg, struct err *e)
{
	struct walk w = { .s = s, .by = by, .desc = desc, .after = after, .visit = visit_row, .arg = arg };
	size_t at = 0, from, to;
	int rc = 0;

	find_set(&w);
	find_blocks(&w);
	from = begin_block(&w);
	to = from + 1;
	while (rc == 0 && from < w.blocks && to) {
		if (desc)
			from = to > AT_ONCE ? to - AT_ONCE : 0;
		else
			to = w.blocks - from > AT_ONCE ? from + AT_ONCE : w.blocks;
		rc = read_blocks(&w, from, to, e);
		if (rc == 0)
			rc = walk_blocks(&w, &at, e);
		*(desc ? &to : &from) = desc ? from : to;
	}
	if (rc == 0)
		rc = visit_set(&w, NULL, &at, e);
	free(w.set);
	free(w.block);
	free(w.index);
	return rc;
}
