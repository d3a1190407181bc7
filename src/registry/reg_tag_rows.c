/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_tag_rows: lists of tags with what is known of them.
 *
 * Owns no state. The summary of the repository has what a page needs; without one the links are read. Knows nothing of HTTP or users.
 */
#include "registry/reg_tag_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/mem.h"
#include "conf/rules.h"
#include "os/file.h"
#include "registry/reg_index.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/summary_at.h"
#include "store/summary_note.h"
#include "store/tag.h"

#define SUMS { 2000, 64u << 20 }        /* indexes and what they name: those that it does not suffice for are summed up by the next list */
#define BUDGET { ORDER_MAX, 256u << 20 }

typedef int visit_row(void *arg, const struct tag_row *row, struct err *e);

struct rows {
	struct registry *r;
	const struct name *n;
	struct tag_query *q;
	visit_row *visit;
	void *arg;
	bool indexed;
	bool unread;                    /* the names are too many to read the link of each */
	struct order_list list;
	struct facts_budget budget;     /* to find out sizes without a summary */
	struct order_entry last;        /* of a page by the summary */
	char last_name[TAG_MAX_LEN + 1];
	uint64_t skip;                  /* rows before the page that are left to pass */
	size_t given;
	bool unpulled;                  /* when a tag was pulled has to be looked up */
	struct facts_budget sums;       /* to sum up what pushes have put off */
	struct str notes;               /* what was summed up, for the next readers */
	struct {
		struct digest digest;
		uint64_t bytes;
	} *summed;                      /* the same for this list; owned */
	size_t nsummed;
	bool shown;                     /* a row has been visited */
};

static int too_many(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "more than %d tags are listed by name or by push only", ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

/* The same without a summary. */
static int too_many_links(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "what is noted of the tags is missing: so many are listed by name only");
	err_plain(e);
	return err_status(e, 400);
}

static int no_place(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "how many of more than %d tags contain a text is not known: a page of them begins after a cursor only",
		ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

/* A page that begins somewhere is a whole one if there are as many entries. */
static void place(struct tag_query *q, uint64_t total)
{
	uint64_t last = total > q->max ? total - q->max : 0;

	q->at = q->at < last ? q->at : last;
}

/* The first entry of such a page, unless it is the first of all: the other way leads from it to those before. */
static void note_back(struct tag_query *q, uint64_t key, const char *name)
{
	struct order other = q->order;

	if (!q->placed || !q->at || q->back.len)
		return;
	other.desc = !other.desc;
	order_cursor(&other, key, name, &q->back);
}

static int give_row(struct rows *w, struct tag_row *row, struct err *e)
{
	w->shown = true;
	row->immutable = rules_immutable(w->r->cfg, w->n, row->tag.s) != NULL;
	return w->visit(w->arg, row, e);
}

/* By the summary. */

/* Whether a tag contains the text that is looked for. */
static bool matches(const struct rows *w, const struct summary_row *row)
{
	size_t len = strlen(w->q->q);

	return !len || memmem(row->key, row->key_len, w->q->q, len);
}

static bool is_summed(struct rows *w, struct tag_row *tag)
{
	for (size_t i = w->nsummed; i-- > 0;)
		if (digest_eq(&w->summed[i].digest, &tag->digest)) {
			tag->facts.bytes = w->summed[i].bytes;
			tag->facts.sized = true;
			return true;
		}
	return false;
}

/* The bytes of a row that has none yet. Those of several tags are summed up once. */
static void sum_up(struct rows *w, struct tag_row *tag)
{
	if (!reg_row_unsummed(tag) || is_summed(w, tag) || !reg_row_sum(w->r, w->n, tag, &w->sums))
		return;
	summary_add_note(&w->notes, SUMMARY_BYTES, tag->facts.bytes, tag->digest.text);
	w->summed = xreallocarray(w->summed, w->nsummed + 1, sizeof(*w->summed));
	w->summed[w->nsummed].digest = tag->digest;
	w->summed[w->nsummed++].bytes = tag->facts.bytes;
}

/* What a row of the page does not say. */
static int complete(struct rows *w, const struct summary_row *row, struct tag_row *tag, struct err *e)
{
	if (row->recount && reg_row_count(w->r, w->n, &tag->digest, tag->referrers, e) < 0)
		return -1;
	sum_up(w, tag);
	return w->unpulled ? reg_row_pulled(w->r, w->n, tag, e) : 0;
}

static int page_row(void *arg, const struct summary_row *row, struct err *e)
{
	cleanup_tag_row struct tag_row tag = TAG_ROW_INIT;
	struct rows *w = arg;

	/* One that is corrupt may be longer than a tag. */
	if (!matches(w, row) || reg_row_parse(&tag, row) < 0)
		return 0;
	if (w->skip) {
		w->skip--;
		return 0;
	}
	if (w->given == w->q->max) {
		order_cursor(&w->q->order, w->last.key, w->last_name, &w->q->next);
		return 1;
	}
	w->given++;
	w->last.key = w->q->order.by == ORDER_PUSHED ? row->pushed : 0;
	memcpy(w->last_name, tag.tag.s, tag.tag.len + 1);
	note_back(w->q, w->last.key, w->last_name);
	return complete(w, row, &tag, e) < 0 ? -1 : give_row(w, &tag, e);
}

static int gather_row(void *arg, const struct summary_row *row, struct err *e)
{
	cleanup_tag_row struct tag_row tag = TAG_ROW_INIT;
	struct rows *w = arg;
	uint64_t key = row->pushed;

	(void)e;
	if (!matches(w, row) || reg_row_parse(&tag, row) < 0)
		return 0;
	if (w->q->order.by == ORDER_SIZE) {
		sum_up(w, &tag);
		key = tag.facts.sized ? tag.facts.bytes : 0;
	} else if (w->q->order.by != ORDER_PUSHED) {
		key = 0;
	}
	order_list_add(&w->list, key, tag.tag.s);
	return 0;
}

/* Where a page of the sorted list begins. */
static size_t first_of(struct rows *w)
{
	struct tag_query *q = w->q;

	if (!q->placed)
		return order_first(&q->order, &w->list);
	place(q, w->list.count);
	if (q->at < w->list.count)
		note_back(q, w->list.v[q->at].key, w->list.v[q->at].name);
	return (size_t)q->at;
}

/* The rows of the names that the page has, which are few. */
struct picked {
	struct rows *w;
	struct tag_row *rows;
	size_t first, count, found;
};

static int pick_row(void *arg, const struct summary_row *row, struct err *e)
{
	struct picked *p = arg;

	for (size_t i = 0; i < p->count; i++) {
		const char *name = p->w->list.v[p->first + i].name;

		if (strlen(name) != row->key_len || memcmp(name, row->key, row->key_len) != 0)
			continue;
		if (reg_row_parse(&p->rows[i], row) < 0)
			return 0;
		if (complete(p->w, row, &p->rows[i], e) < 0)
			return -1;
		return ++p->found == p->count;
	}
	return 0;
}

static int pick(struct rows *w, struct summary *s, struct err *e)
{
	struct tag_query *q = w->q;
	struct picked p = { .w = w, .first = first_of(w) };
	cleanup_free struct tag_row *rows = NULL;
	int rc;

	p.count = w->list.count - p.first < q->max ? w->list.count - p.first : q->max;
	p.rows = rows = xcalloc(p.count + 1, sizeof(*rows));
	for (size_t i = 0; i < p.count; i++)
		rows[i] = (struct tag_row)TAG_ROW_INIT;
	rc = p.count ? summary_walk(s, SUMMARY_BY_KEY, false, NULL, pick_row, &p, e) : 0;
	for (size_t i = 0; i < p.count; i++) {
		if (rc >= 0 && rows[i].tag.len)
			rc = give_row(w, &rows[i], e);
		reg_row_release(&rows[i]);
	}
	if (rc >= 0 && p.count && p.first + p.count < w->list.count)
		order_cursor(&q->order, w->list.v[p.first + p.count - 1].key, w->list.v[p.first + p.count - 1].name, &q->next);
	return rc < 0 ? -1 : 0;
}

struct counting {
	struct order_entry last;
	char name[TAG_MAX_LEN + 1];
	size_t given, max;
};

static int count_row(void *arg, const struct summary_row *row, struct err *e)
{
	cleanup_tag_row struct tag_row tag = TAG_ROW_INIT;
	struct counting *c = arg;

	(void)e;
	if (reg_row_parse(&tag, row) < 0)
		return 0;
	c->last.key = row->pushed;
	memcpy(c->name, tag.tag.s, tag.tag.len + 1);
	return ++c->given > c->max;
}

/* The last page, exactly: from the end back to the row before it. */
static int last_page(struct rows *w, struct summary *s, enum summary_order by, struct err *e)
{
	struct tag_query *q = w->q;
	struct counting c = { .max = q->max };
	struct summary_row after = { .key = c.name };

	q->at = q->total > q->max ? q->total - q->max : 0;
	if (summary_walk(s, by, !q->order.desc, NULL, count_row, &c, e) < 0)
		return -1;
	after.pushed = c.last.key;
	after.key_len = strlen(c.name);
	return summary_walk(s, by, q->order.desc, c.given > c.max ? &after : NULL, page_row, w, e) < 0 ? -1 : 0;
}

/* A page behind about q->at rows. A guess that is behind the last one has given nothing yet. */
static int placed_page(struct rows *w, struct summary *s, enum summary_order by, struct err *e)
{
	struct tag_query *q = w->q;
	struct summary_place from;

	place(q, q->total);
	if (q->at + q->max >= q->total)
		return last_page(w, s, by, e);
	summary_at(s, by, q->order.desc, q->at, &from);
	w->skip = from.skip;
	if (summary_walk(s, by, q->order.desc, from.begins ? &from.after : NULL, page_row, w, e) < 0)
		return -1;
	w->skip = 0;
	return w->given ? 0 : last_page(w, s, by, e);
}

/* In an order that the summary has. */
static int by_run(struct rows *w, struct summary *s, struct err *e)
{
	struct tag_query *q = w->q;
	struct summary_row after = { .pushed = q->order.key, .key = q->order.name, .key_len = strlen(q->order.name) };
	enum summary_order by = q->order.by == ORDER_NAME ? SUMMARY_BY_KEY : SUMMARY_BY_PUSH;

	q->counted = !*q->q;
	q->total = summary_count(s);
	if (q->placed)
		return q->counted ? placed_page(w, s, by, e) : no_place(e);
	return summary_walk(s, by, q->order.desc, q->order.after ? &after : NULL, page_row, w, e) < 0 ? -1 : 0;
}

static int walk_summary(struct rows *w, struct summary *s, struct err *e)
{
	struct tag_query *q = w->q;
	bool ordered = q->order.by == ORDER_NAME || q->order.by == ORDER_PUSHED, few = summary_count(s) <= ORDER_MAX;

	if (ordered && (!*q->q || !few))
		return by_run(w, s, e);
	if (!few)
		return too_many(e);
	/* They are walked through for the order, and again for the rows of the page. */
	if (summary_hold(s, SUMMARY_BY_KEY, e) < 0 || summary_walk(s, SUMMARY_BY_KEY, false, NULL, gather_row, w, e) < 0)
		return -1;
	order_sort(&q->order, &w->list);
	q->counted = true;
	q->total = w->list.count;
	return pick(w, s, e);
}

static int by_summary(struct rows *w, struct summary *s, struct err *e)
{
	int rc;

	w->unpulled = !summary_notes_pulls(w->r->st) || !summary_knows_pulls(s);
	rc = walk_summary(w, s, e);
	if (rc == 0)
		reg_summary_tidy(w->r, w->n, &w->notes, summary_is_due(s));
	return rc;
}

/* By the links. */

/* What a list is sorted by: 1, 0 there is no such tag, -1 with *e. */
static int read_key(struct rows *w, const char *name, uint64_t *key, struct err *e)
{
	cleanup_tag_row struct tag_row row = TAG_ROW_INIT;
	int found;

	*key = 0;
	if (w->q->order.by == ORDER_NAME && w->unread)
		return 1;
	if (tag_parse(&row.tag, name, strlen(name)) < 0)
		return 0;
	if (w->q->order.by == ORDER_PUSHED)
		return tag_pushed(w->r->st, w->n, &row.tag, false, key, e);
	found = tag_read(w->r->st, w->n, &row.tag, &row.digest, e);
	if (found == 1 && w->q->order.by == ORDER_SIZE && !w->budget.bytes)
		return too_many_links(e);
	if (found == 1 && w->q->order.by == ORDER_SIZE) {
		found = facts_read(w->r, w->n, &row.digest, &w->budget, &row.facts, e) < 0 ? -1 : 1;
		*key = row.facts.bytes;
	}
	return found;
}

static int gather(struct rows *w, const char *name, struct err *e)
{
	uint64_t key;
	int found;

	if (!strstr(name, w->q->q))
		return 0;
	found = read_key(w, name, &key, e);
	if (found == 1)
		order_list_add(&w->list, key, name);
	return found < 0 ? -1 : 0;
}

static int by_links(struct rows *w, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	struct tag_query *q = w->q;
	const struct row_source from = { .indexed = w->indexed };
	size_t first, i;
	int rc = tag_names(w->r->st, w->n, &all, e);

	/* By name a page reads its own links alone. */
	w->unread = all.count > ORDER_MAX;
	if (rc == 0 && w->unread && q->order.by != ORDER_NAME)
		return too_many_links(e);
	for (i = 0; rc == 0 && i < all.count; i++)
		rc = gather(w, all.v[i], e);
	if (rc < 0)
		return -1;
	order_sort(&q->order, &w->list);
	q->counted = !w->unread;
	q->total = w->list.count;
	first = first_of(w);
	for (i = first; rc == 0 && i < w->list.count && i - first < q->max; i++) {
		cleanup_tag_row struct tag_row row = TAG_ROW_INIT;
		struct tag t;
		const char *name = w->list.v[i].name;
		int found = tag_parse(&t, name, strlen(name)) < 0 ? 0 : reg_row_read(w->r, w->n, &t, &from, &row, e);

		rc = found == 1 ? give_row(w, &row, e) : found;
	}
	if (rc == 0 && i > first && i < w->list.count)
		order_cursor(&q->order, w->list.v[i - 1].key, w->list.v[i - 1].name, &q->next);
	return rc;
}

/* Make it by the links, if nobody else has the lock: 1, 0, -1 with *e. */
static int build_summary(struct rows *w, struct summary *s, struct err *e)
{
	cleanup_err struct err ignored = ERR_INIT;      /* the links are there */
	cleanup_fd int lock = -1;
	int rc = lock_repository_now(w->r->st, w->n, &lock, e);

	/* It may have been removed meanwhile, and its index with it. */
	if (rc == 1)
		rc = index_current(w->r->st, w->n, e);
	if (rc <= 0)
		return rc;
	if (reg_summary_build(w->r, w->n, &ignored) < 0)
		return 0;
	return reg_summary_open(w->r, w->n, s, e);
}

/* Without a summary the index is compared, if it has not been, and so has one; or only the summary is missing. Nobody is waited for. */
static int make_summary(struct rows *w, struct summary *s, struct err *e)
{
	int rc = reg_index_ready(w->r, w->n, e);

	w->indexed = rc == 1;
	if (rc <= 0)
		return rc;
	rc = reg_summary_open(w->r, w->n, s, e);
	if (rc)
		return rc;
	summary_close(s);
	return build_summary(w, s, e);
}

/* One that is corrupt is made anew, and the list is begun again unless a part of it was visited. */
static int mend_summary(struct rows *w, struct summary *s, struct err *e)
{
	int rc;

	if (e->sys != EUCLEAN || w->shown || w->r->st->readonly)
		return -1;
	err_release(e);
	*e = (struct err)ERR_INIT;
	order_list_release(&w->list);
	w->list = (struct order_list)ORDER_LIST_INIT;
	summary_close(s);
	w->indexed = true;
	rc = build_summary(w, s, e);
	return rc < 0 ? -1 : rc ? by_summary(w, s, e) : by_links(w, e);
}

int reg_tag_rows(struct registry *r, const struct name *n, struct tag_query *q, visit_row *visit, void *arg, struct err *e)
{
	struct rows w = {
		.r = r, .n = n, .q = q, .visit = visit, .arg = arg, .list = ORDER_LIST_INIT, .budget = BUDGET, .sums = SUMS, .notes = STR_INIT,
	};
	cleanup_summary struct summary s = SUMMARY_INIT;
	int rc = reg_summary_open(r, n, &s, e);

	q->counted = false;
	if (rc == 0) {
		summary_close(&s);
		rc = repo_exists(r->st, n, e);
		if (rc <= 0)
			return rc < 0 ? -1 : err_set(e, ERR_NAME_UNKNOWN, "%s", n->s);
		rc = make_summary(&w, &s, e);
	}
	if (rc == 1 && by_summary(&w, &s, e) < 0)
		rc = mend_summary(&w, &s, e);
	else if (rc == 0)
		rc = by_links(&w, e);
	order_list_release(&w.list);
	str_release(&w.notes);
	free(w.summed);
	return rc < 0 ? -1 : 0;
}

static void put_platforms(const struct str *platforms, struct str *out)
{
	const char *s = platforms->buf;

	if (!*s)
		return;
	json_put_key(out, "platforms");
	str_addc(out, '[');
	while (*s) {
		size_t len = strcspn(s, ",");

		json_put_text(out, NULL, s, len, len);
		s += len + (s[len] == ',');
	}
	str_addc(out, ']');
}

void reg_tag_row_json(const struct tag_row *row, struct str *out)
{
	const struct facts *f = &row->facts;

	json_put_key(out, NULL);
	str_addc(out, '{');
	json_put_word(out, "tag", row->tag.s);
	json_put_word(out, "digest", row->digest.text);
	if (f->media_type.len)
		json_put_word(out, "media_type", f->media_type.buf);
	if (f->artifact_type.len)
		json_put_word(out, "artifact_type", f->artifact_type.buf);
	if (f->sized)
		json_put_u64(out, "bytes", f->bytes);
	if (f->dated)
		json_put_time(out, "created", f->created);
	json_put_time(out, "pushed", (int64_t)(row->pushed / 1000000));
	if (row->by.len)
		json_put_word(out, "by", row->by.buf);
	if (row->pulled > 0)
		json_put_time(out, "pulled", row->pulled);
	put_platforms(&f->platforms, out);
	json_put_u64(out, "signatures", row->referrers[KIND_SIGNATURE]);
	json_put_u64(out, "sboms", row->referrers[KIND_SBOM]);
	json_put_u64(out, "attestations", row->referrers[KIND_ATTESTATION]);
	json_put_bool(out, "immutable", row->immutable);
	str_addc(out, '}');
}
