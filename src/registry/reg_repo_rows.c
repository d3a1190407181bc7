/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_repo_rows: lists of repositories with what is known of them.
 *
 * Owns no state. The list of all repositories has what a page needs; without one each is looked at. Knows nothing of HTTP or users.
 */
#include "registry/reg_repo_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/mem.h"
#include "registry/reg_sizes.h"

#define TAGS_READ 1000          /* tags of a repository that are read for its row */
#define TAGS_READ_ALL 10000     /* tags that are read for all rows of an answer */

static int too_many(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "more than %d repositories are listed by name or by push only, and without q", ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

static void add_rules(struct registry *r, struct repo_row *row)
{
	row->mirror = upstream_of(r->cfg, &row->note.name, NULL);
	row->rules = 0;
	for (int i = 0; i < RULE_MEMBERS; i++)
		if (rules_find(r->cfg, &row->note.name, (enum rule_member)i))
			row->rules |= 1u << i;
}

int reg_repo_row(struct registry *r, const struct name *n, size_t *links, struct repo_row *row, struct err *e)
{
	int found = reg_repo_note(r, n, NULL, links, &row->note, e);

	if (found == 1)
		add_rules(r, row);
	return found;
}

typedef int visit_row(void *arg, const struct repo_row *row, struct err *e);

struct rows {
	struct registry *r;
	struct repo_query *q;
	visit_row *visit;
	void *arg;
	struct dated sizes;             /* without a list */
	size_t links;                   /* and how many tags may still be read for all rows */
	struct order_list list;
	struct repo_note *notes;        /* owned: of the list's entries, in the order in which they were found */
	size_t count, cap;
	size_t given;
	struct repo_note last;          /* of a page by the list */
};

static uint64_t key_of(enum order_by by, const struct repo_note *note)
{
	if (by == ORDER_SIZE)
		return note->own + note->shared;
	return by == ORDER_PUSHED ? note->pushed : by == ORDER_TAGS ? note->tags : 0;
}

static int give(struct rows *w, const struct repo_note *note, struct err *e)
{
	struct repo_row row = { .note = *note };

	add_rules(w->r, &row);
	return w->visit(w->arg, &row, e);
}

/* Whether a repository is one that the caller may see, and that is looked for. */
static bool wanted(const struct rows *w, const struct name *n)
{
	return (!*w->q->q || strstr(n->s, w->q->q)) && (!w->q->of || w->q->of->has(w->q->of->arg, n));
}

static int page_note(void *arg, const struct summary_row *from, struct err *e)
{
	struct rows *w = arg;
	struct repo_note note;

	if (repo_note_parse(&note, from) < 0 || !wanted(w, &note.name))
		return 0;
	if (w->given == w->q->max) {
		order_cursor(&w->q->order, key_of(w->q->order.by, &w->last), w->last.name.s, &w->q->next);
		return 1;
	}
	w->given++;
	w->last = note;
	return give(w, &note, e);
}

static int keep(struct rows *w, const struct repo_note *note, struct err *e)
{
	if (w->count == ORDER_MAX)
		return too_many(e);
	if (w->count == w->cap) {
		w->cap = w->cap ? w->cap * 2 : 64;
		w->notes = xreallocarray(w->notes, w->cap, sizeof(*w->notes));
	}
	w->notes[w->count++] = *note;
	order_list_add(&w->list, key_of(w->q->order.by, note), note->name.s);
	return 0;
}

static int keep_note(void *arg, const struct summary_row *from, struct err *e)
{
	struct rows *w = arg;
	struct repo_note note;

	return repo_note_parse(&note, from) < 0 || !wanted(w, &note.name) ? 0 : keep(w, &note, e);
}

static int keep_name(void *arg, const struct name *n, struct err *e)
{
	struct rows *w = arg;
	size_t most = w->links < TAGS_READ ? w->links : TAGS_READ, left = most;
	struct repo_note note;
	int found = wanted(w, n) ? reg_repo_note(w->r, n, &w->sizes, &left, &note, e) : 0;

	w->links -= most - left;
	return found <= 0 ? found : keep(w, &note, e);
}

static const struct repo_note *note_of(const struct rows *w, const char *name)
{
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->notes[i].name.s, name) == 0)
			return &w->notes[i];
	return NULL;
}

/* The page of all that were kept. */
static int give_kept(struct rows *w, struct err *e)
{
	struct repo_query *q = w->q;
	size_t first, i;
	int rc = 0;

	order_sort(&q->order, &w->list);
	q->counted = true;
	q->total = w->list.count;
	first = order_first(&q->order, &w->list);
	for (i = first; rc == 0 && i < w->list.count && i - first < q->max; i++)
		rc = give(w, note_of(w, w->list.v[i].name), e);
	if (rc == 0 && i > first && i < w->list.count)
		order_cursor(&q->order, w->list.v[i - 1].key, w->list.v[i - 1].name, &q->next);
	return rc;
}

static int by_list(struct rows *w, struct summary *s, struct err *e)
{
	struct repo_query *q = w->q;
	struct summary_row after = { .pushed = q->order.key, .key = q->order.name, .key_len = strlen(q->order.name) };
	bool by_name = q->order.by == ORDER_NAME;

	if (!*q->q && (by_name || q->order.by == ORDER_PUSHED))
		return summary_walk(s, by_name ? SUMMARY_BY_KEY : SUMMARY_BY_PUSH, q->order.desc, q->order.after ? &after : NULL, page_note, w, e);
	return summary_walk(s, SUMMARY_BY_KEY, false, NULL, keep_note, w, e) < 0 ? -1 : give_kept(w, e);
}

static int by_looking(struct rows *w, struct err *e)
{
	size_t budget = SIZE_MAX;

	if (reg_sizes_read(w->r->st, &w->sizes, e) < 0)
		return -1;
	w->q->as_of = w->sizes.when;
	return reg_walk(w->r, w->q->of, "", &budget, 0, keep_name, w, e) < 0 ? -1 : give_kept(w, e);
}

int reg_repo_rows(struct registry *r, struct repo_query *q, visit_row *visit, void *arg, struct err *e)
{
	struct rows w = { .r = r, .q = q, .visit = visit, .arg = arg, .sizes = DATED_INIT, .links = TAGS_READ_ALL, .list = ORDER_LIST_INIT };
	cleanup_summary struct summary s = SUMMARY_INIT;
	int rc;

	q->counted = false;
	rc = reg_repo_list_open(r, &s, &q->as_of, e);
	if (rc >= 0)
		rc = rc ? by_list(&w, &s, e) : by_looking(&w, e);
	dated_release(&w.sizes);
	order_list_release(&w.list);
	free(w.notes);
	return rc < 0 ? -1 : 0;
}

void reg_repo_row_json(const struct repo_row *row, bool whole, struct str *out)
{
	json_put_key(out, NULL);
	str_addc(out, '{');
	json_put_word(out, "name", row->note.name.s);
	if (row->note.counted) {
		json_put_u64(out, "tags", row->note.tags);
		if (row->note.pushed)
			json_put_time(out, "pushed", (int64_t)(row->note.pushed / 1000000));
		if (row->note.newest.len)
			json_put_word(out, "newest", row->note.newest.s);
	}
	if (row->note.sized) {
		json_put_u64(out, "bytes", row->note.own + row->note.shared);
	}
	if (row->note.sized && whole) {
		json_put_u64(out, "own", row->note.own);
		json_put_u64(out, "shared", row->note.shared);
	}
	if (row->mirror)
		json_put_word(out, "mirror", row->mirror->whole ? "*" : row->mirror->name);
	json_put_key(out, "rules");
	str_addc(out, '[');
	for (int i = 0; i < RULE_MEMBERS; i++)
		if (row->rules >> i & 1)
			json_put_word(out, NULL, rules_members[i]);
	str_puts(out, "]}");
}
