/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_repo_rows: lists of repositories with what is known of them.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_repo_rows.h"

#include <string.h>

#include "base/json_put.h"
#include "registry/reg_sizes.h"
#include "registry/reg_summary.h"
#include "store/repo.h"
#include "store/tag.h"

#define TAGS_READ 1000          /* tags of a repository that are read for its row */

static int too_many(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "more than %d repositories are listed by name or by push only, and without q", ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

/* By the links of all tags; of a repository with too many nothing is said. */
static int count_tags(struct registry *r, struct repo_row *row, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;

	if (tag_names(r->st, &row->name, &all, e) < 0)
		return -1;
	if (all.count > TAGS_READ)
		return 0;
	for (size_t i = 0; i < all.count; i++) {
		uint64_t pushed;
		struct tag t;
		int found = tag_parse(&t, all.v[i], strlen(all.v[i])) < 0 ? 0 : tag_pushed(r->st, &row->name, &t, &pushed, e);

		if (found < 0)
			return -1;
		row->tags += (uint64_t)found;
		if (found && pushed > row->pushed) {
			row->pushed = pushed;
			row->newest = t;
		}
	}
	row->counted = true;
	return 0;
}

static int take_newest(void *arg, const struct summary_row *from, struct err *e)
{
	struct repo_row *row = arg;

	(void)e;
	if (tag_parse(&row->newest, from->key, from->key_len) == 0)
		row->pushed = from->pushed;
	return 1;
}

/* By the summary of the tags: 1, 0 there is none, -1 with *e. */
static int read_summary(struct registry *r, struct repo_row *row, struct err *e)
{
	cleanup_summary struct summary s = SUMMARY_INIT;
	int rc = reg_summary_open(r, &row->name, &s, e);

	if (rc <= 0)
		return rc;
	row->tags = summary_count(&s);
	row->counted = true;
	return summary_walk(&s, SUMMARY_BY_PUSH, true, NULL, take_newest, row, e) < 0 ? -1 : 1;
}

int reg_repo_row(struct registry *r, const struct name *n, const struct sizes *sizes, struct repo_row *row, struct err *e)
{
	int found = repo_exists(r->st, n, e);

	*row = (struct repo_row){ .name = *n };
	if (found <= 0)
		return found;
	row->sized = sizes && reg_sizes_find(sizes, n, &row->own, &row->shared);
	row->mirror = upstream_of(r->cfg, n, NULL);
	for (int i = 0; i < RULE_MEMBERS; i++)
		if (rules_find(r->cfg, n, (enum rule_member)i))
			row->rules |= 1u << i;
	found = read_summary(r, row, e);
	return found ? found : count_tags(r, row, e) < 0 ? -1 : 1;
}

struct rows {
	struct registry *r;
	struct repo_query *q;
	struct sizes sizes;
	struct order_list list;
	size_t names;
};

static uint64_t key_of(enum order_by by, const struct repo_row *row)
{
	if (by == ORDER_SIZE)
		return row->own + row->shared;
	return by == ORDER_PUSHED ? row->pushed : by == ORDER_TAGS ? row->tags : 0;
}

static int gather_page(void *arg, const struct name *n, struct err *e)
{
	struct rows *w = arg;

	(void)e;
	order_list_add(&w->list, 0, n->s);
	return w->list.count > w->q->max;
}

static int gather(void *arg, const struct name *n, struct err *e)
{
	struct rows *w = arg;
	struct repo_row row = { .tags = 0 };

	if (w->names++ == ORDER_MAX)
		return too_many(e);
	if (!strstr(n->s, w->q->q))
		return 0;
	if (w->q->order.by != ORDER_NAME && reg_repo_row(w->r, n, &w->sizes, &row, e) < 0)
		return -1;
	order_list_add(&w->list, key_of(w->q->order.by, &row), n->s);
	return 0;
}

static int find(struct rows *w, struct err *e)
{
	struct repo_query *q = w->q;
	size_t budget = ORDER_MAX;

	if (q->order.by == ORDER_NAME && !q->order.desc && !*q->q)
		return reg_walk(w->r, q->of, q->order.after ? q->order.name : "", &budget, 1, gather_page, w, e) < 0 ? -1 : 0;
	budget = SIZE_MAX;
	if (reg_walk(w->r, q->of, "", &budget, 0, gather, w, e) < 0)
		return -1;
	order_sort(&q->order, &w->list);
	q->counted = true;
	q->total = w->list.count;
	return 0;
}

static int give(struct rows *w, int (*visit)(void *arg, const struct repo_row *row, struct err *e), void *arg, struct err *e)
{
	struct repo_query *q = w->q;
	size_t first = order_first(&q->order, &w->list), i;
	int rc = 0;

	for (i = first; rc == 0 && i < w->list.count && i - first < q->max; i++) {
		struct repo_row row;
		struct name n;
		int found = name_parse(&n, w->list.v[i].name, strlen(w->list.v[i].name)) < 0 ? 0 : reg_repo_row(w->r, &n, &w->sizes, &row, e);

		rc = found == 1 ? visit(arg, &row, e) : found;
	}
	if (rc == 0 && i > first && i < w->list.count)
		order_cursor(&q->order, w->list.v[i - 1].key, w->list.v[i - 1].name, &q->next);
	return rc;
}

int reg_repo_rows(struct registry *r, struct repo_query *q, int (*visit)(void *arg, const struct repo_row *row, struct err *e), void *arg,
		  struct err *e)
{
	struct rows w = { .r = r, .q = q, .sizes = SIZES_INIT, .list = ORDER_LIST_INIT };
	int rc;

	q->counted = false;
	rc = reg_sizes_read(r->st, &w.sizes, e);
	q->as_of = w.sizes.when;
	if (rc >= 0)
		rc = find(&w, e) < 0 ? -1 : give(&w, visit, arg, e);
	reg_sizes_release(&w.sizes);
	order_list_release(&w.list);
	return rc;
}

void reg_repo_row_json(const struct repo_row *row, struct str *out)
{
	json_put_key(out, NULL);
	str_addc(out, '{');
	json_put_word(out, "name", row->name.s);
	if (row->counted) {
		json_put_u64(out, "tags", row->tags);
		if (row->pushed)
			json_put_time(out, "pushed", (int64_t)(row->pushed / 1000000));
		if (row->newest.len)
			json_put_word(out, "newest", row->newest.s);
	}
	if (row->sized) {
		json_put_u64(out, "bytes", row->own + row->shared);
		json_put_u64(out, "own", row->own);
		json_put_u64(out, "shared", row->shared);
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
