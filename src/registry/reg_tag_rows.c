/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_tag_rows: lists of tags with what is known of them.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_tag_rows.h"

#include <string.h>

#include "base/json_check.h"
#include "base/json_put.h"
#include "conf/rules.h"
#include "registry/reg_index.h"
#include "registry/reg_referrers.h"
#include "store/index.h"
#include "store/repo.h"
#include "store/tag.h"

#define REFERRERS 100           /* of a tag that are counted */

struct rows {
	struct registry *r;
	const struct name *n;
	struct tag_query *q;
	bool indexed;
	struct order_list list;
	size_t names;                   /* looked at */
};

static int too_many(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED, "more than %d tags are listed by name or by push only, and without q", ORDER_MAX);
	err_plain(e);
	return err_status(e, 400);
}

static int count_referrers(struct rows *w, struct tag_row *row, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	cleanup_str struct str descriptor = STR_INIT;
	size_t i;

	if (!w->indexed)
		return 0;
	if (index_referrers(w->r->st, w->n, &row->digest, "", REFERRERS, &all, e) < 0)
		return -1;
	for (i = 0; i < all.count && i < REFERRERS; i++) {
		struct json_fault f;
		struct digest d;
		int found;

		str_reset(&descriptor);
		if (digest_parse(&d, all.v[i], strlen(all.v[i])) < 0)
			continue;
		found = index_read_referrer(w->r->st, w->n, &row->digest, &d, &descriptor, e);
		if (found < 0)
			return -1;
		if (found && json_check(descriptor.buf, descriptor.len, &f) == 0)
			row->referrers[kind_of(json_view_of(descriptor.buf, descriptor.len))]++;
	}
	return 0;
}

static void row_release(struct tag_row *row)
{
	facts_release(&row->facts);
	str_release(&row->by);
}

/* A row by the links: 1, 0 there is no such tag, -1 with *e. */
static int read_row(struct rows *w, const char *name, struct tag_row *row, struct err *e)
{
	int found;

	if (tag_parse(&row->tag, name, strlen(name)) < 0)
		return 0;
	found = tag_read(w->r->st, w->n, &row->tag, &row->digest, e);
	if (found <= 0)
		return found;
	found = tag_pushed(w->r->st, w->n, &row->tag, &row->pushed, e);
	if (found <= 0 || facts_read(w->r, w->n, &row->digest, &row->facts, e) < 0)
		return found < 0 ? -1 : found;
	row->immutable = rules_immutable(w->r->cfg, w->n, name) != NULL;
	return count_referrers(w, row, e) < 0 ? -1 : 1;
}

/* What a list is sorted by: 1, 0 there is no such tag, -1 with *e. */
static int read_key(struct rows *w, const char *name, uint64_t *key, struct err *e)
{
	struct tag_row row = { .facts = FACTS_INIT, .by = STR_INIT };
	int found;

	*key = 0;
	if (tag_parse(&row.tag, name, strlen(name)) < 0)
		return 0;
	if (w->q->order.by == ORDER_PUSHED)
		return tag_pushed(w->r->st, w->n, &row.tag, key, e);
	found = tag_read(w->r->st, w->n, &row.tag, &row.digest, e);
	if (found == 1 && w->q->order.by == ORDER_SIZE) {
		found = facts_read(w->r, w->n, &row.digest, &row.facts, e) < 0 ? -1 : 1;
		*key = row.facts.bytes;
	}
	row_release(&row);
	return found;
}

static int gather(void *arg, const char *name, struct err *e)
{
	struct rows *w = arg;
	uint64_t key;
	int found;

	if (w->names++ == ORDER_MAX)
		return too_many(e);
	if (!strstr(name, w->q->q))
		return 0;
	found = read_key(w, name, &key, e);
	if (found == 1)
		order_list_add(&w->list, key, name);
	return found < 0 ? -1 : 0;
}

/* The names of a page that is sorted by name begin behind its cursor. */
static int gather_page(void *arg, const char *name, struct err *e)
{
	struct rows *w = arg;
	struct digest d;
	struct tag t;
	int found = tag_parse(&t, name, strlen(name)) < 0 ? 0 : tag_read(w->r->st, w->n, &t, &d, e);

	if (found == 1)
		order_list_add(&w->list, 0, name);
	return found < 0 ? -1 : w->list.count > w->q->max;
}

static int walk_names(struct rows *w, const char *after, int (*visit)(void *arg, const char *name, struct err *e), struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	size_t i;
	int rc = 0;

	if (w->indexed)
		return index_walk_tags(w->r->st, w->n, after, visit, w, e);
	if (tag_names(w->r->st, w->n, &all, e) < 0)
		return -1;
	for (i = 0; rc == 0 && i < all.count; i++)
		rc = strcmp(all.v[i], after) > 0 ? visit(w, all.v[i], e) : 0;
	return rc;
}

static int find(struct rows *w, struct err *e)
{
	struct tag_query *q = w->q;

	if (q->order.by == ORDER_NAME && !q->order.desc && !*q->q)
		return walk_names(w, q->order.after ? q->order.name : "", gather_page, e) < 0 ? -1 : 0;
	if (walk_names(w, "", gather, e) < 0)
		return -1;
	order_sort(&q->order, &w->list);
	q->counted = true;
	q->total = w->list.count;
	return 0;
}

static int give(struct rows *w, int (*visit)(void *arg, const struct tag_row *row, struct err *e), void *arg, struct err *e)
{
	struct tag_query *q = w->q;
	size_t first = order_first(&q->order, &w->list), i;
	int rc = 0;

	for (i = first; rc == 0 && i < w->list.count && i - first < q->max; i++) {
		struct tag_row row = { .facts = FACTS_INIT, .by = STR_INIT };
		int found = read_row(w, w->list.v[i].name, &row, e);

		rc = found == 1 ? visit(arg, &row, e) : found;
		row_release(&row);
	}
	if (rc == 0 && i > first && i < w->list.count)
		order_cursor(&q->order, w->list.v[i - 1].key, w->list.v[i - 1].name, &q->next);
	return rc;
}

int reg_tag_rows(struct registry *r, const struct name *n, struct tag_query *q, int (*visit)(void *arg, const struct tag_row *row, struct err *e),
		 void *arg, struct err *e)
{
	struct rows w = { .r = r, .n = n, .q = q, .list = ORDER_LIST_INIT };
	int rc = repo_exists(r->st, n, e);

	q->counted = false;
	if (rc <= 0)
		return rc < 0 ? -1 : err_set(e, ERR_NAME_UNKNOWN, "%s", n->s);
	rc = reg_index_ready(r, n, e);
	w.indexed = rc == 1;
	if (rc >= 0)
		rc = find(&w, e) < 0 ? -1 : give(&w, visit, arg, e);
	order_list_release(&w.list);
	return rc;
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
	put_platforms(&f->platforms, out);
	json_put_u64(out, "signatures", row->referrers[KIND_SIGNATURE]);
	json_put_u64(out, "sboms", row->referrers[KIND_SBOM]);
	json_put_u64(out, "attestations", row->referrers[KIND_ATTESTATION]);
	json_put_bool(out, "immutable", row->immutable);
	str_addc(out, '}');
}
