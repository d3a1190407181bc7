/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_summary: keeping the summary of a repository's tags.
 *
 * Owns no state. Invariant: a summary of this epoch has a row, or a doubt, for each tag; that a row is not written makes a doubt of it. Knows
 * nothing of HTTP or users.
 */
#include "registry/reg_summary.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "store/index.h"
#include "store/believed.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/store_path.h"
#include "store/summary_note.h"
#include "store/tag.h"

#define SUMS_ANEW { 2000, 64u << 20 }   /* what is read to sum up bytes when a file is written anew */
#define LOOK_EACH 32            /* changes, about, until it is looked at whether a file is to be written anew: that costs five calls */

void reg_summary_leave(struct summary_change *c)
{
	summary_leave(&c->w);
	touched_leave(&c->t);
	str_release(&c->path);
	str_release(&c->lines);
}

bool reg_summary_is_kept(const struct summary_change *c)
{
	return c->w.fd >= 0;
}

void reg_summary_done(struct summary_change *c)
{
	touched_end(&c->t, c->n);
}

/* Say the first lines, which are in c->lines. */
static int begin(struct registry *r, const struct name *n, struct summary_change *c, struct err *e)
{
	int rc;

	c->r = r;
	c->n = n;
	path_index_file(&c->path, n, STORE_INDEX_SUMMARY);
	rc = summary_begin(r->st, c->path.buf, &c->lines, &c->w, e);
	str_reset(&c->lines);
	return rc;
}

static int look(void *arg, const char *key, size_t len, struct str *line, struct err *e)
{
	cleanup_tag_row struct tag_row row = TAG_ROW_INIT;
	const struct summary_change *c = arg;
	const struct row_source from = { .indexed = true };
	struct tag t;
	int found = tag_parse(&t, key, len) < 0 ? 0 : reg_row_read(c->r, c->n, &t, &from, &row, e);

	if (found == 1)
		reg_row_line(&row, line);
	return found;
}

/* Rows, with their texts. */
struct rows {
	struct registry *r;
	const struct name *n;
	struct str text;                /* a line for each row */
	size_t count;
	bool pulls;                     /* when a tag was pulled has to be looked up */
	struct facts_budget sums;
};

/* The rows of the lines, which do not move any more; owned. */
static struct summary_row *parse_rows(const struct rows *rows)
{
	struct summary_row *v = xcalloc(rows->count + 1, sizeof(*v));
	const char *line = rows->text.buf;

	for (size_t i = 0; i < rows->count; i++) {
		size_t len = strcspn(line, "\n");

		summary_parse_row(line, len, &v[i]);
		line += len + 1;
	}
	return v;
}

static void add_row(struct rows *rows, const struct summary_row *row)
{
	summary_add_row(&rows->text, row);
	str_addc(&rows->text, '\n');
	rows->count++;
}

static int write_rows(struct rows *rows, struct err *e)
{
	cleanup_free struct summary_row *v = parse_rows(rows);
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, rows->n, STORE_INDEX_SUMMARY);
	return summary_build(rows->r->st, path.buf, v, rows->count, e);
}

/* Whether what notes say has to go into the row, or what a push has put off. */
static bool has_to_change(const struct rows *rows, const struct summary_row *row)
{
	return rows->pulls || row->pulled || row->summed || !(memmem(row->text, row->text_len, " b", 2) || (row->text_len && *row->text == 'b'));
}

static int change_row(struct rows *rows, const struct summary_row *from, struct err *e)
{
	cleanup_tag_row struct tag_row row = TAG_ROW_INIT;

	if (reg_row_parse(&row, from) < 0)
		return 0;               /* no tag */
	if (rows->pulls && reg_row_pulled(rows->r, rows->n, &row, e) < 0)
		return -1;
	if (reg_row_unsummed(&row))
		reg_row_sum(rows->r, rows->n, &row, &rows->sums);
	reg_row_line(&row, &rows->text);
	str_addc(&rows->text, '\n');
	rows->count++;
	return 0;
}

static int copy_row(void *arg, const struct summary_row *row, struct err *e)
{
	struct summary_row copy = *row;
	struct rows *rows = arg;
	struct digest d;

	if (row->recount && digest_parse(&d, row->digest, row->digest_len) == 0 && reg_row_count(rows->r, rows->n, &d, copy.counts, e) < 0)
		return -1;
	if (has_to_change(rows, row))
		return change_row(rows, &copy, e);
	add_row(rows, &copy);
	return 0;
}

/* The caller holds the lock: nobody is at work, so what is in doubt can be decided for good. A failure leaves the file as it is. */
static void write_anew(struct registry *r, const struct name *n)
{
	cleanup_summary_carry struct summary_carry carry = { .fd = -1 };
	cleanup_summary struct summary s = SUMMARY_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str path = STR_INIT;
	struct rows rows = { .r = r, .n = n, .text = STR_INIT, .sums = SUMS_ANEW };

	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	summary_carry_begin(r->st, path.buf, false, &carry);
	if (reg_summary_open(r, n, &s, &ignored) == 1 && summary_is_due(&s)) {
		rows.pulls = summary_notes_pulls(r->st) && !summary_knows_pulls(&s);
		if (summary_walk(&s, SUMMARY_BY_KEY, false, NULL, copy_row, &rows, &ignored) == 0 && write_rows(&rows, &ignored) == 0)
			summary_carry_end(r->st, path.buf, &carry);
	}
	str_release(&rows.text);
}

static void end(struct summary_change *c)
{
	summary_end(&c->w, &c->lines);
	/* As by chance, so that it comes to each of several repositories that change in turn. */
	if (time_now_usec() / 8 % LOOK_EACH == 0)
		write_anew(c->r, c->n);
}

int reg_summary_will_tag(struct registry *r, const struct name *n, const struct tag *t, bool exists, struct summary_change *c, struct err *e)
{
	summary_doubt(&c->lines, t->s, exists);
	return touched_begin(r->st, n, &c->t, e) < 0 ? -1 : begin(r, n, c, e);
}

void reg_summary_tagged(struct summary_change *c, const struct tag_row *row)
{
	cleanup_str struct str line = STR_INIT;
	struct summary_row out;

	if (!reg_summary_is_kept(c))
		return;
	reg_row_line(row, &line);
	if (summary_parse_row(line.buf, line.len, &out) == 0)
		summary_set(&c->lines, &out);
	end(c);
}

static const struct tag *nth(const struct tag *tags, size_t i, size_t stride)
{
	return (const struct tag *)(const void *)((const char *)tags + i * stride);
}

int reg_summary_will_untag(struct registry *r, const struct name *n, const struct tag *tags, size_t count, size_t stride, struct summary_change *c,
			   struct err *e)
{
	for (size_t i = 0; i < count; i++)
		summary_doubt(&c->lines, nth(tags, i, stride)->s, true);
	return touched_begin(r->st, n, &c->t, e) < 0 ? -1 : begin(r, n, c, e);
}

void reg_summary_untagged(struct summary_change *c, const struct tag *tags, size_t count, size_t stride)
{
	if (!reg_summary_is_kept(c))
		return;
	for (size_t i = 0; i < count; i++)
		summary_gone(&c->lines, nth(tags, i, stride)->s);
	end(c);
}

/* The doubt stays: nothing says that it is over. */
int reg_summary_will_unrefer(struct registry *r, const struct name *n, int refers, const struct digest *subject, struct err *e)
{
	cleanup_summary_change struct summary_change c = SUMMARY_CHANGE_INIT;

	if (!refers)
		return 0;
	summary_doubt_refer(&c.lines, refers == 1 ? subject : NULL);
	return begin(r, n, &c, e);
}

void reg_summary_unreferred(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d)
{
	index_remove_referrer(r->st, n, subject, d);
}

/* One whose entry and link were there already is counted already. An entry alone is one of a push that failed, or of a manifest that has gone. */
int reg_summary_add_referrer(struct registry *r, const struct name *n, const struct digest *subject, const struct digest *d,
			     const struct str *descriptor, struct summary_change *c, struct err *e)
{
	cleanup_str struct str was = STR_INIT;
	int had = reg_row_refers(r, n, subject, d, &was, e);

	if (had < 0)
		return -1;
	if (!had) {
		summary_doubt_refer(&c->lines, subject);
		had = begin(r, n, c, e);
	} else if (was.len != descriptor->len || memcmp(was.buf, descriptor->buf, was.len) != 0) {
		had = reg_summary_will_unrefer(r, n, 1, subject, e);    /* it may have been counted as of another kind */
	}
	return had < 0 ? -1 : index_add_referrer(r->st, n, subject, d, descriptor, true, e);
}

void reg_summary_referred(struct summary_change *c, const struct digest *subject, const struct str *descriptor)
{
	struct json_fault f;

	if (!reg_summary_is_kept(c) || json_check(descriptor->buf, descriptor->len, &f) < 0)
		return;
	summary_refer(&c->lines, subject, kind_of(json_view_of(descriptor->buf, descriptor->len)));
	end(c);
}

/* A summary of an older epoch, as rows in byte order of their keys. */
struct old {
	struct rows lines;
	struct summary_row *v;          /* owned */
};

static int keep_old(void *arg, const struct summary_row *row, struct err *e)
{
	(void)e;
	add_row(arg, row);
	return 0;
}

/* What was in doubt there is not known. One that is corrupt says nothing. */
static int know_nothing(void *arg, const char *key, size_t len, struct str *line, struct err *e)
{
	(void)arg, (void)key, (void)len, (void)line, (void)e;
	return 0;
}

static void read_old(struct registry *r, const struct name *n, struct old *old)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str path = STR_INIT;

	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	if (summary_open_old(r->st, path.buf, &s, &ignored) != 1 || summary_settle(&s, know_nothing, NULL, &ignored) < 0 ||
	    summary_walk(&s, SUMMARY_BY_KEY, false, NULL, keep_old, &old->lines, &ignored) != 0)
		old->lines.count = 0;
	old->v = parse_rows(&old->lines);
}

static int compare_keys(const void *a, const void *b)
{
	return summary_cmp(SUMMARY_BY_KEY, a, b);
}

struct building {
	struct rows rows;
	struct old old;
	struct row_facts *facts;
};

static int add_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	cleanup_tag_row struct tag_row row = TAG_ROW_INIT;
	struct building *b = arg;
	const struct summary_row key = { .key = t->s, .key_len = t->len };
	const struct row_source from = {
		.indexed = true, .facts = b->facts,
		.old = b->old.lines.count ? bsearch(&key, b->old.v, b->old.lines.count, sizeof(key), compare_keys) : NULL,
	};
	int found = reg_row_read(b->rows.r, b->rows.n, t, &from, &row, e);

	(void)d;
	if (found <= 0)
		return found;
	reg_row_line(&row, &b->rows.text);
	str_addc(&b->rows.text, '\n');
	b->rows.count++;
	return 0;
}

static int build(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_summary_carry struct summary_carry carry = { .fd = -1 };
	cleanup_str struct str path = STR_INIT;
	struct building b = { .rows = { .r = r, .n = n, .text = STR_INIT }, .old = { .lines = { .text = STR_INIT } } };
	int rc;

	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	summary_carry_begin(r->st, path.buf, *r->st->epoch != '\0', &carry);
	b.facts = xcalloc(ROW_FACTS, sizeof(*b.facts));
	read_old(r, n, &b.old);
	rc = tag_walk(r->st, n, add_tag, &b, e);
	if (rc == 0)
		rc = write_rows(&b.rows, e);
	if (rc == 0)
		summary_carry_end(r->st, path.buf, &carry);
	reg_row_facts_release(b.facts);
	free(b.facts);
	str_release(&b.rows.text);
	str_release(&b.old.lines.text);
	free(b.old.v);
	return rc;
}

/* A list is no reason to refuse pushes and pulls. */
static int do_without(struct registry *r, const struct name *n, const struct err *why, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct log_event ev;

	log_begin(&ev, LOG_WARN, "no_summary");
	log_str(&ev, "repository", n->s);
	log_err(&ev, why);
	log_end(&ev);
	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	return summary_drop(r->st, path.buf, e);
}

int reg_summary_build(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_err struct err why = ERR_INIT;
	char mark[BELIEVED_LEN + 1];
	struct touched t;
	int rc;

	rc = believed_begin(r->st, mark, &why);
	if (rc <= 0)
		return rc < 0 ? do_without(r, n, &why, e) : 0;
	if (touched_begin(r->st, n, &t, e) < 0)
		return -1;
	rc = build(r, n, &why);
	if (rc < 0)
		rc = do_without(r, n, &why, e);
	touched_end(&t, n);
	return rc;
}

int reg_summary_open(struct registry *r, const struct name *n, struct summary *s, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct summary_change c = { .r = r, .n = n };
	int rc;

	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	rc = summary_open(r->st, path.buf, s, e);
	return rc == 1 && summary_settle(s, look, &c, e) < 0 ? -1 : rc;
}

void reg_summary_tidy(struct registry *r, const struct name *n, const struct str *notes, bool due)
{
	cleanup_err struct err ignored = ERR_INIT;
	cleanup_str struct str path = STR_INIT;
	cleanup_fd int lock = -1;

	if ((!notes->len && !due) || r->st->readonly || lock_repository_now(r->st, n, &lock, &ignored) != 1)
		return;
	path_index_file(&path, n, STORE_INDEX_SUMMARY);
	if (notes->len)
		summary_note_lines(r->st, path.buf, notes);
	if (due)
		write_anew(r, n);
}
