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
#include "base/log.h"
#include "base/mem.h"
#include "registry/reg_index.h"
#include "registry/reg_order.h"
#include "registry/reg_repo_rows.h"
#include "store/blob.h"
#include "store/index.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

#define SEARCH_EXAMINED 200000  /* names that are looked at to find ORDER_MAX which the caller may see */
#define SEARCH_EXACT 1000       /* repositories that are asked for one tag, and as many for digests: a few calls and at most 300 bytes each */
#define SEARCH_BEGINS 100       /* repositories whose tags are looked through for those that begin with the text */
#define SEARCH_LINKS 1000       /* tags that are counted by their links for the repositories of an answer */
#define HEX_LEAST 6             /* digits of a digest: fewer are part of too many */

struct search {
	struct registry *r;
	const struct repo_filter *of;
	const char *q;
	struct names names;             /* of repositories that the caller may see, in byte order */
	struct str *out;
	size_t found;                   /* of the kind that is being looked for */
	bool cut;                       /* some names were not looked at */
	bool more;                      /* of this kind there may be more */
	struct str kinds;               /* of which there may be, as members of an object */
};

static int gather(void *arg, const struct name *n, struct err *e)
{
	struct search *s = arg;

	(void)e;
	if (s->names.count == ORDER_MAX)
		return 1;
	names_add(&s->names, n->s, n->len);
	return 0;
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

/* One that is damaged is no reason to find nothing in the others. */
static int skip(const struct name *n, struct err *e)
{
	struct log_event ev;

	log_begin(&ev, LOG_ERROR, "search");
	log_str(&ev, "repository", n->s);
	log_err(&ev, e);
	log_end(&ev);
	err_release(e);
	*e = (struct err)ERR_INIT;
	return 0;
}

static int find_repos(struct search *s, struct err *e)
{
	static const struct order best = { .by = ORDER_SIZE };
	cleanup_order_list struct order_list l = ORDER_LIST_INIT;
	size_t links = SEARCH_LINKS, i;

	for (i = 0; i < s->names.count; i++)
		if (rank(s->names.v[i], s->q) < 4)
			order_list_add(&l, rank(s->names.v[i], s->q), s->names.v[i]);
	order_sort(&best, &l);
	s->more = s->cut || l.count > SEARCH_FOUND;
	for (i = 0; i < l.count && i < SEARCH_FOUND; i++) {
		struct repo_row row;
		struct name n;
		int found = name_parse(&n, l.v[i].name, strlen(l.v[i].name)) < 0 ? 0 : reg_repo_row(s->r, &n, &links, &row, e);

		if (found < 0)
			found = skip(&n, e);
		if (found)
			reg_repo_row_json(&row, !s->of, s->out);
	}
	return 0;
}

/* Add one; false: there is no room, so that there are more of this kind. */
static bool put(struct search *s, const char *repo, const char *key, const char *what)
{
	if (s->found == SEARCH_FOUND) {
		s->more = true;
		return false;
	}
	s->found++;
	json_put_key(s->out, NULL);
	str_addc(s->out, '{');
	json_put_word(s->out, "repo", repo);
	json_put_word(s->out, key, what);
	str_addc(s->out, '}');
	return true;
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

/* The same by the links: where somebody else has the lock, or the registry is read-only. */
static int walk_links(struct begins *b, struct err *e)
{
	cleanup_names struct names all = NAMES_INIT;
	int rc = tag_names(b->s->r->st, b->n, &all, e);

	for (size_t i = 0; rc == 0 && i < all.count; i++)
		rc = strcmp(all.v[i], b->head) > 0 ? visit_tag(b, all.v[i], e) : 0;
	return rc;
}

/*
 * The tags of a repository that begin with a text, and the tag that is the text only if `exact`; without a current index there are none. Only of the
 * one repository that is asked for by its name is it made current, or else its links are read.
 */
static int tags_of(struct search *s, const struct name *n, const char *head, bool exact, struct err *e)
{
	struct begins b = { .s = s, .n = n, .head = head };
	int rc = exact ? reg_index_ready(s->r, n, e) : s->r->st->readonly ? 0 : index_current(s->r->st, n, e);
	struct tag t;

	if (exact && tag_parse(&t, head, strlen(head)) == 0) {
		int there = tag_is_there(s->r->st, n, &t, e);

		if (there < 0 || (there && !put(s, n->s, "tag", t.s)))
			return there < 0 ? -1 : 0;
	}
	if (rc == 1)
		rc = index_walk_tags(s->r->st, n, head, visit_tag, &b, e);      /* what is greater than the text */
	else if (rc == 0 && exact)
		rc = walk_links(&b, e);
	return rc < 0 ? -1 : 0;
}

/* "team/app:1." is about one repository. */
static const char *colon_of(const struct search *s, struct name *n)
{
	const char *colon = strrchr(s->q, ':');

	return colon && name_parse(n, s->q, (size_t)(colon - s->q)) == 0 ? colon : NULL;
}

/* Of a repository that is named, however many others come before it. */
static int find_there(struct search *s, const struct name *n, const char *head, struct err *e)
{
	int exists = !s->of || s->of->has(s->of->arg, n) ? repo_exists(s->r->st, n, e) : 0;

	return exists <= 0 ? exists : tags_of(s, n, head, true, e);
}

static int find_tags(struct search *s, struct err *e)
{
	struct name n;
	const char *colon = colon_of(s, &n);
	struct tag t;
	size_t i;

	if (colon)
		return find_there(s, &n, colon + 1, e);
	if (tag_parse(&t, s->q, strlen(s->q)) < 0)
		return 0;
	s->more = s->cut || s->names.count > SEARCH_BEGINS;
	for (i = 0; i < s->names.count && i < SEARCH_EXACT && s->found < SEARCH_FOUND; i++) {
		int there = name_parse(&n, s->names.v[i], strlen(s->names.v[i])) < 0 ? 0 : tag_is_there(s->r->st, &n, &t, e);

		if (there < 0)
			there = skip(&n, e);
		if (there)
			put(s, n.s, "tag", t.s);
	}
	for (i = 0; i < s->names.count && i < SEARCH_BEGINS && s->found < SEARCH_FOUND; i++)
		if (name_parse(&n, s->names.v[i], strlen(s->names.v[i])) == 0 && tags_of(s, &n, s->q, false, e) < 0)
			skip(&n, e);
	s->more = s->more || (s->found == SEARCH_FOUND && i < s->names.count);
	return 0;
}

struct digests {
	struct digest v[SEARCH_FOUND];
	size_t count;
	bool more;
	const char *hex;
};

static int take_digest(void *arg, const struct digest *d, struct err *e)
{
	struct digests *all = arg;

	(void)e;
	if (strncmp(digest_hex(d), all->hex, strlen(all->hex)) != 0)
		return 0;
	all->more = all->count == SEARCH_FOUND;
	if (!all->more)
		all->v[all->count++] = *d;
	return all->more;
}

/* The repositories that have content of this digest, as a manifest or a blob. */
static int repos_of(struct search *s, const struct digest *d, size_t *looked, struct err *e)
{
	for (size_t i = 0; i < s->names.count; i++) {
		struct digest content;
		struct name n;
		int found;

		if (*looked == SEARCH_EXACT || s->found == SEARCH_FOUND) {
			s->more = true;
			break;
		}
		if (name_parse(&n, s->names.v[i], strlen(s->names.v[i])) < 0)
			continue;
		++*looked;
		found = revision_find(s->r->st, &n, d, &content, e);
		if (found == 0)
			found = blob_read_link(s->r->st, &n, d, &content, e);
		if (found < 0)
			found = skip(&n, e);
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
	s->more = all.count && (all.more || s->cut);
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
	s->more = false;
	if (how(s, e) < 0)
		return -1;
	str_addc(s->out, ']');
	if (s->more)
		str_addf(&s->kinds, "%s\"%s\":true", s->kinds.len ? "," : "", key);
	return 0;
}

int reg_search(struct registry *r, const struct repo_filter *of, const char *q, struct str *out, struct err *e)
{
	struct search s = { .r = r, .of = of, .q = q, .names = NAMES_INIT, .out = out, .kinds = STR_INIT };
	size_t budget = SEARCH_EXAMINED;
	int rc = reg_walk(r, of, "", &budget, 0, gather, &s, e);

	s.cut = rc > 0;
	if (rc >= 0)
		rc = find(&s, "repos", find_repos, e) < 0 || find(&s, "tags", find_tags, e) < 0 || find(&s, "digests", find_digests, e) < 0 ? -1 : 0;
	if (rc == 0 && s.kinds.len)
		str_addf(out, ",\"more\":{%s}", s.kinds.buf);
	names_release(&s.names);
	str_release(&s.kinds);
	return rc;
}
