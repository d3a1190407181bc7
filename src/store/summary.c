/* SPDX-License-Identifier: Apache-2.0 */
/*
 * summary: reading rows in two orders.
 *
 * Owns what it has read of a file. Invariant: a row of the base counts only if the tail says nothing of its key.
 */
#include "store/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "store/believed.h"

#define HEAD_WORD "berth-summary 1 "
#define HEAD_LEN (sizeof(HEAD_WORD) - 1 + BELIEVED_LEN + 4 * 17 + 1)
#define FIRST (64 * 1024)               /* bytes that are read at first: of a small file all */
#define FILE_MAX (UINT64_C(1) << 40)
#define INDEX_MAX (8u << 20)            /* bytes of an index that can be right */
#define TAIL_MAX (1u << 20)             /* of a longer tail something is wrong: it is written anew long before */
#define TAIL_STEP (128 * 1024)
#define DUE_LEAST (8 * 1024)            /* bytes of a tail from which on a file may be written anew */
#define DUE_MOST (64 * 1024)            /* and from which on it is */
#define HEX 16
#define AT_ONCE 2               /* blocks that are read: a page may begin close to the end of one */

void summary_close(struct summary *s)
{
	if (s->fd >= 0)
		close(s->fd);
	str_release(&s->head);
	str_release(&s->tail);
	str_release(&s->block);
	str_release(&s->settled);
	names_release(&s->doubted);
	free(s->v);
	free(s->refers);
	*s = (struct summary)SUMMARY_INIT;
}

static int cmp_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int c = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return c ? c : (a_len > b_len) - (a_len < b_len);
}

int summary_cmp(enum summary_order by, const struct summary_row *a, const struct summary_row *b)
{
	if (by == SUMMARY_BY_PUSH && a->pushed != b->pushed)
		return a->pushed < b->pushed ? -1 : 1;
	return cmp_text(a->key, a->key_len, b->key, b->key_len);
}

/* The next word of a line, up to a blank; whether there is one. */
static bool word(const char **p, const char *end, const char **w, size_t *len)
{
	const char *blank = memchr(*p, ' ', (size_t)(end - *p));

	*w = *p;
	*len = (size_t)((blank ? blank : end) - *p);
	*p = blank ? blank + 1 : end;
	return *len > 0;
}

int summary_parse_row(const char *line, size_t len, struct summary_row *row)
{
	const char *p = line, *end = line + len, *w;
	uint64_t n;
	size_t i;

	*row = (struct summary_row){ 0 };
	if (!word(&p, end, &w, &i) || i != HEX || str_parse_hex(w, HEX, &row->pushed) < 0 || !word(&p, end, &row->key, &row->key_len) ||
	    row->key_len > SUMMARY_KEY_MAX || !word(&p, end, &row->digest, &row->digest_len))
		return -1;
	for (i = 0; i < SUMMARY_COUNTS; i++) {
		size_t digits;

		if (!word(&p, end, &w, &digits) || str_parse_u64(w, digits, &n) < 0 || n > 1000000)
			return -1;
		row->counts[i] = (unsigned)n;
	}
	row->text = p;
	row->text_len = (size_t)(end - p);
	return 0;
}

/* Read up to `len` bytes of the file: 0, or -1 with errno. */
static int read_at(const struct summary *s, uint64_t from, size_t len, struct str *out)
{
	char *room = str_room(out, len);
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(s->fd, room + got, len - got, (off_t)(from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		got += (size_t)n;
		if (n == 0 || got < len)        /* the end: a file that grows is read up to here */
			break;
	}
	str_grown(out, got);
	return 0;
}

static bool number(const char *at, uint64_t *out)
{
	return str_parse_hex(at, HEX, out) == 0 && *out < FILE_MAX;
}

/* The first line, with this mark, unless it may be an old one. */
static bool parse_head(const char *mark, bool old, struct summary *s)
{
	const char *p = s->head.buf;
	size_t word_len = sizeof(HEAD_WORD) - 1;

	if (s->head.len < HEAD_LEN || memcmp(p, HEAD_WORD, word_len) != 0 ||
	    (!old && memcmp(p + word_len, mark, BELIEVED_LEN) != 0))
		return false;
	p += word_len + BELIEVED_LEN;
	return p[0] == ' ' && number(p + 1, &s->count) && p[17] == ' ' && number(p + 18, &s->index_len[0]) && p[34] == ' ' &&
	       number(p + 35, &s->index_len[1]) && p[51] == ' ' && number(p + 52, &s->run_len) && p[68] == '\n' &&
	       s->index_len[0] <= INDEX_MAX && s->index_len[1] <= INDEX_MAX;
}

static uint64_t tail_at(const struct summary *s)
{
	return HEAD_LEN + s->index_len[0] + s->index_len[1] + 2 * s->run_len;
}

/* What was read at first may be the whole file. */
static int read_tail(struct summary *s)
{
	uint64_t at = tail_at(s);
	size_t before;

	if (s->head.len < FIRST) {
		if (s->head.len < at) {
			errno = EUCLEAN;
			return -1;
		}
		str_add(&s->tail, s->head.buf + at, s->head.len - (size_t)at);
		return 0;
	}
	do {
		before = s->tail.len;
		if (read_at(s, at + before, TAIL_STEP, &s->tail) < 0)
			return -1;
	} while (s->tail.len - before == TAIL_STEP && s->tail.len <= TAIL_MAX);
	if (s->tail.len <= TAIL_MAX)
		return 0;
	errno = EUCLEAN;
	return -1;
}

static int read_indexes(struct summary *s)
{
	uint64_t need = HEAD_LEN + s->index_len[0] + s->index_len[1];

	if (s->head.len < need && s->head.len >= FIRST && read_at(s, s->head.len, (size_t)(need - s->head.len), &s->head) < 0)
		return -1;
	if (s->head.len >= need)
		return 0;
	errno = EUCLEAN;
	return -1;
}

/* Of a key that the lines before have not named, *e is new. */
static struct summary_entry *entry_of(struct summary *s, size_t *cap, const char *key, size_t len)
{
	for (size_t i = s->nv; i-- > 0;)
		if (cmp_text(s->v[i].key, s->v[i].key_len, key, len) == 0)
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
	if (s->nrefers == *cap) {
		*cap = *cap ? *cap * 2 : 64;
		s->refers = xreallocarray(s->refers, *cap, sizeof(*s->refers));
	}
	s->refers[s->nrefers++] = (struct summary_refer){ digest, len, seq, kind };
}

struct caps { size_t v, refers; };

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
	else if (line[0] == '@' && len > 4 && line[2] == ' ' && line[1] == '?')
		add_refer(s, &caps->refers, line + 3, len - 3, seq, -1);
	else if (line[0] == '@' && len > 5 && line[1] == '+' && line[3] == ' ' && line[2] >= '0' && line[2] < '0' + SUMMARY_COUNTS)
		add_refer(s, &caps->refers, line + 4, len - 4, seq, line[2] - '0');
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

	return cmp_text(x->key, x->key_len, y->key, y->key_len);
}

static int by_digest(const void *a, const void *b)
{
	const struct summary_refer *x = a, *y = b;
	int c = cmp_text(x->digest, x->len, y->digest, y->len);

	return c ? c : (x->seq > y->seq) - (x->seq < y->seq);
}

static void parse_tail(struct summary *s)
{
	const char *p = s->tail.buf, *end = p + s->tail.len, *eol;
	struct caps caps = { 0 };
	size_t seq = 0;

	for (; (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		size_t len = (size_t)(eol - p);

		if (len > 3 && eol[-1] == ';' && eol[-2] == ' ')
			take_line(s, &caps, p, len - 2, ++seq);
	}
	if (s->nv)
		qsort(s->v, s->nv, sizeof(*s->v), by_key);
	if (s->nrefers)
		qsort(s->refers, s->nrefers, sizeof(*s->refers), by_digest);
}

static int open_any(struct store *st, const char *path, bool old, struct summary *s, struct err *e)
{
	char mark[BELIEVED_LEN + 1] = "";
	int rc = old ? 1 : believed_read(st, mark, e);

	if (rc <= 0)
		return rc;
	s->fd = os_open_file(st->dirfd, path, O_RDONLY, 0);
	if (s->fd < 0)
		return os_gone(errno) || errno == EUCLEAN ? 0 : err_sys(e, "cannot open %s", path);
	if (read_at(s, 0, FIRST, &s->head) < 0)
		return errno == EISDIR || errno == ESPIPE ? 0 : err_sys(e, "cannot read %s", path);
	if (!parse_head(mark, old, s))
		return 0;
	if (read_indexes(s) < 0 || read_tail(s) < 0)
		return errno == EUCLEAN ? 0 : err_sys(e, "cannot read %s", path);
	parse_tail(s);
	return 1;
}

int summary_open(struct store *st, const char *path, struct summary *s, struct err *e)
{
	return open_any(st, path, false, s, e);
}

int summary_open_old(struct store *st, const char *path, struct summary *s, struct err *e)
{
	return open_any(st, path, true, s, e);
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

uint64_t summary_count(const struct summary *s)
{
	uint64_t n = s->count;

	for (size_t i = 0; i < s->nv; i++)
		n = n + (s->v[i].state == SUMMARY_SET) - (s->v[i].existed ? 1 : 0);
	return n;
}

bool summary_is_due(const struct summary *s)
{
	uint64_t most = s->run_len / 4;

	return s->tail.len > (most < DUE_LEAST ? DUE_LEAST : most < DUE_MOST ? most : DUE_MOST);
}

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
	size_t at = HEAD_LEN + (w->by == SUMMARY_BY_KEY ? 0 : (size_t)s->index_len[0]), end = at + (size_t)s->index_len[w->by == SUMMARY_BY_PUSH];
	size_t cap = 0;

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
	if (len < 2 * HEX + 3 || !number(line, offset) || str_parse_hex(line + HEX + 1, HEX, &row->pushed) < 0)
		return false;
	row->key = line + 2 * HEX + 2;
	row->key_len = len - 2 * HEX - 2;
	return *offset < w->s->run_len;
}

/* The blocks from i up to, but without, `end`. */
static int read_blocks(struct walk *w, size_t i, size_t end_block, struct err *e)
{
	struct summary *s = w->s;
	uint64_t from, to = s->run_len, run = HEAD_LEN + s->index_len[0] + s->index_len[1] + (w->by == SUMMARY_BY_KEY ? 0 : s->run_len);
	struct summary_row first;
	const char *p, *end, *eol;

	if (!first_of(w, i, &first, &from) || (end_block < w->blocks && !first_of(w, end_block, &first, &to)) || to <= from ||
	    to - from > INDEX_MAX * 8ull)
		return corrupt(e);
	str_reset(&s->block);
	if (run + to <= s->head.len)
		str_add(&s->block, s->head.buf + run + from, (size_t)(to - from));
	else if (read_at(s, run + from, (size_t)(to - from), &s->block) < 0)
		return err_sys(e, "cannot read a summary");
	w->nblock = 0;
	for (p = s->block.buf, end = p + s->block.len; (eol = memchr(p, '\n', (size_t)(end - p))) != NULL; p = eol + 1) {
		if (w->nblock == w->cap) {
			w->cap = w->cap ? w->cap * 2 : 256;
			w->block = xreallocarray(w->block, w->cap, sizeof(*w->block));
		}
		if (summary_parse_row(p, (size_t)(eol - p), &w->block[w->nblock++]) < 0)
			return corrupt(e);
	}
	return p == end && s->block.len == to - from ? 0 : corrupt(e);
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

/* The counts as they are with what the tail says of the digest since the row was written. */
static void count_refers(const struct summary *s, struct summary_row *row)
{
	size_t lo = 0, hi = s->nrefers;
	unsigned sum = row->counts[0] + row->counts[1] + row->counts[2] + row->counts[3];
	int doubts = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cmp_text(s->refers[mid].digest, s->refers[mid].len, row->digest, row->digest_len) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < s->nrefers && cmp_text(s->refers[lo].digest, s->refers[lo].len, row->digest, row->digest_len) == 0; lo++) {
		const struct summary_refer *rf = &s->refers[lo];

		if (rf->seq <= row->seq)
			continue;
		doubts += rf->kind < 0 ? 1 : -1;
		if (rf->kind >= 0 && sum++ < SUMMARY_REFERS_MAX)
			row->counts[rf->kind]++;
	}
	row->recount = doubts > 0;
}

static int visit(const struct walk *w, const struct summary_row *row, struct err *e)
{
	struct summary_row copy = *row;

	count_refers(w->s, &copy);
	return w->visit(w->arg, &copy, e);
}

static bool is_in_tail(const struct summary *s, const struct summary_row *row)
{
	struct summary_entry key = { .key = row->key, .key_len = row->key_len };

	return s->nv && bsearch(&key, s->v, s->nv, sizeof(*s->v), by_key);
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

		if (!follows(w, row) || is_in_tail(w->s, row))
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
