/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_at: places in a summary by the offsets of its blocks.
 *
 * Owns nothing: it reads the index that summary_open() has read.
 */
#include "store/summary_at.h"

#include <string.h>

#define HEX 16
#define KEY_AT (2 * HEX + 2)    /* "OFFSET PUSHED KEY" */

/* The index of an order: lines, up to *end. */
static const char *index_of(const struct summary *s, enum summary_order by, const char **end)
{
	const char *p = memchr(s->head.buf, '\n', s->head.len);
	size_t from = p ? (size_t)(p + 1 - s->head.buf) + (by == SUMMARY_BY_KEY ? 0 : (size_t)s->index_len[0]) : 0;
	size_t len = (size_t)s->index_len[by == SUMMARY_BY_KEY ? 0 : 1];

	if (!p || from + len > s->head.len)
		len = 0;
	*end = s->head.buf + from + len;
	return s->head.buf + from;
}

/* The first row of a block, and where that begins in its run. */
static bool entry(const char *line, const char *eol, uint64_t *offset, struct summary_row *row)
{
	*row = (struct summary_row){ 0 };
	if (eol - line <= KEY_AT || str_parse_hex(line, HEX, offset) < 0 || str_parse_hex(line + HEX + 1, HEX, &row->pushed) < 0)
		return false;
	row->key = line + KEY_AT;
	row->key_len = (size_t)(eol - line) - KEY_AT;
	return true;
}

/* The last block that begins at or before the byte, and the one behind it. */
struct found {
	uint64_t from, to;
	struct summary_row first, next;
	bool begins, ends;              /* it is not the first one; not the last one */
};

static void find(const struct summary *s, enum summary_order by, uint64_t byte, struct found *f)
{
	const char *end, *p = index_of(s, by, &end), *eol;
	struct summary_row row;
	uint64_t offset;

	*f = (struct found){ .to = s->run_len };
	for (; p < end && (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		if (!entry(p, eol, &offset, &row))
			return;
		if (offset > byte) {
			f->to = offset;
			f->next = row;
			f->ends = true;
			return;
		}
		f->from = offset;
		f->first = row;
		f->begins = offset > 0;
	}
}

/* whole * n / of, rounded, of numbers whose product may be too large */
static uint64_t part(uint64_t whole, uint64_t n, uint64_t of)
{
	return of ? (uint64_t)((double)whole / (double)of * (double)n + 0.5) : 0;
}

void summary_at(const struct summary *s, enum summary_order by, bool desc, uint64_t before, struct summary_place *out)
{
	uint64_t count = summary_count(s), byte;
	struct found f;

	*out = (struct summary_place){ .begins = false };
	before = before < count ? before : count;
	if (!before || !s->run_len) {
		out->skip = before;
		return;
	}
	byte = part(s->run_len, desc ? count - before : before, count);
	find(s, by, byte, &f);
	out->begins = desc ? f.ends : f.begins;
	out->after = desc ? f.next : f.first;
	out->skip = part(count, desc ? f.to - byte : byte - f.from, s->run_len);
	/* The row that a walk begins behind is left out, too; for one that goes back it is not of this block. */
	if (!desc && out->begins && out->skip)
		out->skip--;
}
