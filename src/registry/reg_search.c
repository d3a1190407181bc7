/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_search: finding by a text.
 *
 * Owns no state. Invariant: what is found is in a repository that the caller may see. Knows nothing of HTTP or users.
 */
#include "registry/reg_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_put.h"
#include "base/mem.h"
#include "registry/reg_index.h"
#include "registry/reg_order.h"
#include "registry/reg_repo_rows.h"
#include "store/blob.h"
#include "store/index.h"
#include "store/revision.h"
#include "store/tag.h"

#define SEARCH_EXACT 1000       /* repositories that are asked for one tag or digest, a call or two each */
#define SEARCH_BEGINS 100       /* repositories whose tags are looked through for those that begin with the text */
#define HEX_LEAST 6             /* digits of a digest: fewer are part of too many */

struct search {
	struct registry *r;
	const char *q;
	struct names names;             /* of repositories that the caller may see, in byte order */
	struct str *out;
	size_t found;                   /* of the kind that is being looked for */
};

static int gather(void *arg, const struct name *n, struct err *e)
{
	struct search *s = arg;

	(void)e;
	names_add(&s->names, n->s, n->len);
	return s->names.count == ORDER_MAX;
}

/* How well a name fits, 0 best; 4: not at all. */
static uint64_t rank(const char *name, const char *q)
{
	const char *at = strstr(name, q);
	size_t len = strlen(q);

	if (!at)
		return 4;
	if (strcmp(name, q) == 0)
		return 0;
	if (at == name)
		return 1;
	for (const char *slash = strchr(name, '/'); slash; slash = strchr(slash + 1, '/'))
		if (strncmp(slash + 1, q, len) == 0)
			return 2;
	return 3;
}

static int find_repos(struct search *s, struct err *e)
{
	static const struct order best = { .by = ORDER_SIZE };
	cleanup_order_list struct order_list l = ORDER_LIST_INIT;
	size_t i;

	for (i = 0; i < s->names.count; i++)
		if (rank(s->names.v[i], s->q) < 4)
			order_list_add(&l, rank(s->names.v[i], s->q), s->names.v[i]);
	order_sort(&best, &l);
	json_put_key(s->out, "repos");
	str_addc(s->out, '[');
	for (i = 0; i < l.count && i < SEARCH_FOUND; i++) {
		struct repo_row row;
		struct name n;
		int found = name_parse(&n, l.v[i].name, strlen(l.v[i].name)) < 0 ? 0 : reg_repo_row(s->r, &n, &row, e);

		if (found < 0)
			return -1;
		if (found)
			reg_repo_row_json(&row, s->out);
	}
	str_addc(s->out, ']');
	return 0;
}

/* Whether there is room for more of this kind after this one. */
static bool put(struct search *s, const char *repo, const char *key, const char *what)
{
	json_put_key(s->out, NULL);
	str_addc(s->out, '{');
	json_put_word(s->out, "repo", repo);
	json_put_word(s->out, key, what);
	str_addc(s->out, '}');
	return ++s->found < SEARCH_FOUND;
}

struct begins {
	struct search *s;
	const struct name *n;
	const char *head;
};

static int visit_tag(void *arg, const char *tag, struct err *e)
{
	struct begins *b = arg;
	struct tag t;
	int there;

	if (strncmp(tag, b->head, strlen(b->head)) != 0)
		return strcmp(tag, b->head) > 0;        /* byte order: none of those behind it begins so */
	if (tag_parse(&t, tag, strlen(tag)) < 0)
		return 0;
	there = tag_is_there(b->s->r->st, b->n, &t, e);
	return there <= 0 ? there : !put(b->s, b->n->s, "tag", t.s);
}

/* The tags of a repository that begin with a text, and the tag that is the text only if `exact`; without a current index there are none. */
static int tags_of(struct search *s, const struct name *n, const char *head, bool exact, struct err *e)
{
	struct begins b = { .s = s, .n = n, .head = head };
	int rc = reg_index_ready(s->r, n, e);
	struct tag t;

	if (exact && tag_parse(&t, head, strlen(head)) == 0) {
		int there = tag_is_there(s->r->st, n, &t, e);

		if (there < 0 || (there && !put(s, n->s, "tag", t.s)))
			return there < 0 ? -1 : 0;
	}
	if (rc == 1)
		rc = index_walk_tags(s->r->st, n, head, visit_tag, &b, e);      /* what is greater than the text */
	return rc < 0 ? -1 : 0;
}

/* "team/app:1." is about one repository. */
static const char *colon_of(const struct search *s, struct name *n)
{
	const char *colon = strrchr(s->q, ':');

	return colon && name_parse(n, s->q, (size_t)(colon - s->q)) == 0 ? colon : NULL;
}

static bool has_name(const struct search *s, const struct name *n)
{
	size_t lo = 0, hi = s->names.count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(s->names.v[mid], n->s);

		if (c == 0)
			return true;
		*(c < 0 ? &lo : &hi) = c < 0 ? mid + 1 : mid;
	}
	return false;
}

static int find_tags(struct search *s, struct err *e)
{
	struct name n;
	const char *colon = colon_of(s, &n);
	struct tag t;
	size_t i;

	if (colon)
		return has_name(s, &n) ? tags_of(s, &n, colon + 1, true, e) : 0;
	if (tag_parse(&t, s->q, strlen(s->q)) < 0)
		return 0;
	for (i = 0; i < s->names.count && i < SEARCH_EXACT && s->found < SEARCH_FOUND; i++) {
		int there = name_parse(&n, s->names.v[i], strlen(s->names.v[i])) < 0 ? 0 : tag_is_there(s->r->st, &n, &t, e);

		if (there < 0)
			return -1;
		if (there)
			put(s, n.s, "tag", t.s);
	}
	for (i = 0; i < s->names.count && i < SEARCH_BEGINS && s->found < SEARCH_FOUND; i++)
		if (name_parse(&n, s->names.v[i], strlen(s->names.v[i])) == 0 && tags_of(s, &n, s->q, false, e) < 0)
			return -1;
	return 0;
}

struct digests {
	struct digest v[SEARCH_FOUND];
	size_t count;
	const char *hex;
};

static int take_digest(void *arg, const struct digest *d, struct err *e)
{
	struct digests *all = arg;

	(void)e;
	if (strncmp(digest_hex(d), all->hex, strlen(all->hex)) != 0)
		return 0;
	all->v[all->count++] = *d;
	return all->count == SEARCH_FOUND;
}

/* The repositories that have content of this digest, as a manifest or a blob. */
static int repos_of(struct search *s, const struct digest *d, size_t *looked, struct err *e)
{
	for (size_t i = 0; i < s->names.count && *looked < SEARCH_EXACT && s->found < SEARCH_FOUND; i++) {
		struct digest content;
		struct name n;
		int found;

		if (name_parse(&n, s->names.v[i], strlen(s->names.v[i])) < 0)
			continue;
		++*looked;
		found = revision_find(s->r->st, &n, d, &content, e);
		if (found == 0)
			found = blob_read_link(s->r->st, &n, d, &content, e);
		if (found < 0)
			return -1;
		if (found)
			put(s, n.s, "digest", d->text);
	}
	return 0;
}

static int find_digests(struct search *s, struct err *e)
{
	const char *hex = strncmp(s->q, "sha256:", 7) == 0 || strncmp(s->q, "sha512:", 7) == 0 ? s->q + 7 : s->q;
	struct digests all = { .hex = hex };
	size_t len = strlen(hex), i, looked = 0;
	uint64_t part;

	if (len < HEX_LEAST || strspn(hex, "0123456789abcdef") != len || str_parse_hex(hex, 2, &part) < 0)
		return 0;
	if (blob_walk(s->r->st, (unsigned)part, take_digest, &all, e) < 0)
		return -1;
	for (i = 0; i < all.count; i++)
		if (repos_of(s, &all.v[i], &looked, e) < 0)
			return -1;
	return 0;
}

static int find(struct search *s, const char *key, int (*how)(struct search *s, struct err *e), struct err *e)
{
	json_put_key(s->out, key);
	str_addc(s->out, '[');
	s->found = 0;
	if (how(s, e) < 0)
		return -1;
	str_addc(s->out, ']');
	return 0;
}

int reg_search(struct registry *r, const struct repo_filter *of, const char *q, struct str *out, struct err *e)
{
	struct search s = { .r = r, .q = q, .names = NAMES_INIT, .out = out };
	size_t budget = ORDER_MAX;
	int rc = reg_walk(r, of, "", &budget, 0, gather, &s, e);

	if (rc >= 0)
		rc = find_repos(&s, e) < 0 || find(&s, "tags", find_tags, e) < 0 || find(&s, "digests", find_digests, e) < 0 ? -1 : 0;
	names_release(&s.names);
	return rc;
}
