/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary_tail: the lines behind the rows of a summary.
 *
 * Owns what is known from them. Invariant: the last line of a key counts, and a doubt until it is looked at.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "store/summary_own.h"

#define DUE_LEAST (8 * 1024)            /* bytes of a tail from which on a file may be written anew */
#define DUE_MOST (64 * 1024)            /* and from which on it is */

/* Of a key that the lines before have not named, *e is new. */
static struct summary_entry *entry_of(struct summary *s, size_t *cap, const char *key, size_t len)
{
	for (size_t i = s->nv; i-- > 0;)
		if (summary_cmp_text(s->v[i].key, s->v[i].key_len, key, len) == 0)
			return &s->v[i];
	if (s->nv == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		s->v = xreallocarray(s->v, *cap, sizeof(*s->v));
	}
	s->v[s->nv] = (struct summary_entry){ .key = key, .key_len = len, .state = SUMMARY_DOUBT };
	return &s->v[s->nv++];
}

static void add_refer(struct summary *s, size_t *cap, const char *digest, size_t len, size_t seq, int kind)
{
	if (kind < 0 && len == 1 && *digest == '*') {
		s->all_refers = seq;
		return;
	}
	if (s->nrefers == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		s->refers = xreallocarray(s->refers, *cap, sizeof(*s->refers));
	}
	s->refers[s->nrefers++] = (struct summary_refer){ digest, len, seq, kind };
}

static void add_note(struct summary *s, size_t *cap, const struct summary_note *note)
{
	if (s->nnotes == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		s->notes = xreallocarray(s->notes, *cap, sizeof(*s->notes));
	}
	s->notes[s->nnotes++] = *note;
}

struct caps { size_t v, refers, notes; };

/* "?n KEY", "?o KEY" */
static void take_doubt(struct summary *s, struct caps *caps, const char *line, size_t len)
{
	size_t known = s->nv;
	struct summary_entry *en;

	if (len < 4 || line[2] != ' ')
		return;
	en = entry_of(s, &caps->v, line + 3, len - 3);
	if (s->nv > known)
		en->existed = line[1] == 'o';
	en->state = SUMMARY_DOUBT;
}

/* "!p NUMBER KEY", "!b NUMBER DIGEST" */
static void take_note(struct summary *s, struct caps *caps, const char *line, size_t len, size_t seq)
{
	struct summary_note note = { .kind = line[1], .seq = seq };

	if (len < SUMMARY_HEX + 5 || line[2] != ' ' || line[SUMMARY_HEX + 3] != ' ' ||
	    str_parse_hex(line + 3, SUMMARY_HEX, &note.value) < 0)
		return;
	note.of = line + SUMMARY_HEX + 4;
	note.len = len - SUMMARY_HEX - 4;
	add_note(s, &caps->notes, &note);
}

/* A line of the tail, whole, without its end. A result without the doubt before it can't be: it is left out. */
static void take_line(struct summary *s, struct caps *caps, const char *line, size_t len, size_t seq)
{
	struct summary_row row;
	size_t known = s->nv;
	struct summary_entry *en = NULL;

	if (line[0] == '?')
		take_doubt(s, caps, line, len);
	else if (line[0] == '-' && len > 1)
		en = entry_of(s, &caps->v, line + 1, len - 1);
	else if (line[0] == '=' && summary_parse_row(line + 1, len - 1, &row) == 0)
		en = entry_of(s, &caps->v, row.key, row.key_len);
	else if (line[0] == '@' && len > 3 && line[2] == ' ' && line[1] == '?')
		add_refer(s, &caps->refers, line + 3, len - 3, seq, -1);
	else if (line[0] == '@' && len > 5 && line[1] == '+' && line[3] == ' ' && line[2] >= '0' && line[2] < '0' + SUMMARY_COUNTS)
		add_refer(s, &caps->refers, line + 4, len - 4, seq, line[2] - '0');
	else if (line[0] == '!')
		take_note(s, caps, line, len, seq);
	if (!en || s->nv > known)
		return;
	en->state = line[0] == '=' ? SUMMARY_SET : SUMMARY_GONE;
	if (line[0] == '=') {
		en->row = row;
		en->row.seq = seq;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct summary_entry *x = a, *y = b;

	return summary_cmp_text(x->key, x->key_len, y->key, y->key_len);
}

static int by_digest(const void *a, const void *b)
{
	const struct summary_refer *x = a, *y = b;
	int c = summary_cmp_text(x->digest, x->len, y->digest, y->len);

	return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_note(const void *a, const void *b)
{
	const struct summary_note *x = a, *y = b;
	int c = x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : summary_cmp_text(x->of, x->len, y->of, y->len);

	return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

void summary_parse_tail(struct summary *s)
{
	const char *p = s->tail.buf, *end = p + s->tail.len, *eol;
	struct caps caps = { 0 };
	size_t seq = 0;

	for (; (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		size_t len = (size_t)(eol - p);

		if (len > 3 && eol[-1] == ';' && eol[-2] == ' ' && !memchr(p, '\0', len))
			take_line(s, &caps, p, len - 2, ++seq);
	}
	if (s->nv)
		qsort(s->v, s->nv, sizeof(*s->v), by_key);
	if (s->nnotes)
		qsort(s->notes, s->nnotes, sizeof(*s->notes), by_note);
	if (s->nrefers)
		qsort(s->refers, s->nrefers, sizeof(*s->refers), by_digest);
}

int summary_settle(struct summary *s, int (*look)(void *arg, const char *key, size_t len, struct str *line, struct err *e), void *arg,
		   struct err *e)
{
	cleanup_free size_t *at = xcalloc(s->nv + 1, sizeof(*at));
	size_t i;

	for (i = 0; i < s->nv; i++) {
		int found;

		if (s->v[i].state != SUMMARY_DOUBT)
			continue;
		at[i] = s->settled.len + 1;
		found = look(arg, s->v[i].key, s->v[i].key_len, &s->settled, e);
		if (found < 0)
			return -1;
		str_addc(&s->settled, '\n');
		s->v[i].state = found ? SUMMARY_SET : SUMMARY_GONE;
	}
	/* Now the text does not move any more. */
	for (i = 0; i < s->nv; i++) {
		const char *line = s->settled.buf + (at[i] ? at[i] - 1 : 0);

		if (!at[i] || s->v[i].state != SUMMARY_SET)
			continue;
		if (summary_parse_row(line, strcspn(line, "\n"), &s->v[i].row) < 0)
			s->v[i].state = SUMMARY_GONE;
		s->v[i].row.seq = SIZE_MAX;     /* what was looked at now has all that refers to it */
	}
	return 0;
}

void summary_doubt_keys(struct summary *s, const struct names *keys)
{
	size_t cap = s->nv;

	for (size_t i = 0; i < keys->count; i++) {
		names_add(&s->doubted, keys->v[i], strlen(keys->v[i]));
		entry_of(s, &cap, s->doubted.v[i], strlen(keys->v[i]))->state = SUMMARY_DOUBT;
	}
	if (s->nv)
		qsort(s->v, s->nv, sizeof(*s->v), by_key);
}

bool summary_has_key(const struct summary *s, const char *key, size_t len)
{
	struct summary_entry en = { .key = key, .key_len = len };

	return s->nv && bsearch(&en, s->v, s->nv, sizeof(*s->v), by_key);
}

uint64_t summary_count(const struct summary *s)
{
	uint64_t n = s->count;

	for (size_t i = 0; i < s->nv; i++)
		n = n + (s->v[i].state == SUMMARY_SET) - (s->v[i].existed ? 1 : 0);
	return n;
}

bool summary_knows_pulls(const struct summary *s)
{
	return s->tail.len < SUMMARY_PULLS_MAX;
}

bool summary_is_due(const struct summary *s)
{
	uint64_t most = s->run_len / 4;

	return s->tail.len > (most < DUE_LEAST ? DUE_LEAST : most < DUE_MOST ? most : DUE_MOST);
}

/* The counts as they are with what the tail says of the digest since the row was written. */
static void count_refers(const struct summary *s, struct summary_row *row)
{
	size_t lo = 0, hi = s->nrefers;
	unsigned sum = row->counts[0] + row->counts[1] + row->counts[2] + row->counts[3];
	int doubts = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (summary_cmp_text(s->refers[mid].digest, s->refers[mid].len, row->digest, row->digest_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->nrefers && summary_cmp_text(s->refers[lo].digest, s->refers[lo].len, row->digest, row->digest_len) == 0; lo++) {
		const struct summary_refer *rf = &s->refers[lo];

		if (rf->seq <= row->seq)
			continue;
		doubts += rf->kind < 0 ? 1 : -1;
		if (rf->kind >= 0 && sum++ < SUMMARY_REFERS_MAX)
			row->counts[rf->kind]++;
	}
	row->recount = doubts > 0 || s->all_refers > row->seq;
}

/* The first note of this kind about a key or a digest. */
static size_t first_note(const struct summary *s, char kind, const char *of, size_t len)
{
	const struct summary_note note = { .kind = kind, .of = of, .len = len };
	size_t lo = 0, hi = s->nnotes;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (by_note(&s->notes[mid], &note) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool is_about(const struct summary *s, size_t i, char kind, const char *of, size_t len)
{
	return i < s->nnotes && s->notes[i].kind == kind && summary_cmp_text(s->notes[i].of, s->notes[i].len, of, len) == 0;
}

void summary_complete(const struct summary *s, struct summary_row *row)
{
	size_t i;

	count_refers(s, row);
	for (i = first_note(s, SUMMARY_PULLED, row->key, row->key_len); is_about(s, i, SUMMARY_PULLED, row->key, row->key_len); i++)
		if (s->notes[i].value > row->pulled)
			row->pulled = s->notes[i].value;
	/* Bytes that were summed up before the row was written are those of an earlier push. */
	for (i = first_note(s, SUMMARY_BYTES, row->digest, row->digest_len); is_about(s, i, SUMMARY_BYTES, row->digest, row->digest_len); i++)
		if (s->notes[i].seq > row->seq) {
			row->summed = true;
			row->bytes = s->notes[i].value;
		}
}
