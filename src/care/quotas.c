/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quotas: the groups, and what each has.
 *
 * Owns no state.
 */
#include "care/quotas.h"

#include <stdlib.h>
#include <string.h>

#include "base/digestset.h"
#include "base/log.h"
#include "base/mem.h"
#include "care/gc_work.h"
#include "conf/rules.h"
#include "os/dir.h"
#include "store/blob.h"
#include "store/quota.h"
#include "store/repo.h"
#include "store/revision.h"

/* A repository that is counted. */
struct member {
	struct name n;
	size_t group;                   /* the length of that part of its name */
	uint64_t quota;
};

struct members {
	const struct config *cfg;
	struct member **v;              /* each is owned */
	size_t count, cap;
};

static void members_release(struct members *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->v[i]);
	free(m->v);
}

static int add_member(void *arg, const struct name *n, struct err *e)
{
	struct members *m = arg;
	size_t len;
	const struct rule *rule = rules_group(m->cfg, n, &len);

	(void)e;
	if (!rule)
		return 0;
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		m->v = xreallocarray(m->v, m->cap, sizeof(*m->v));
	}
	m->v[m->count] = xmalloc(sizeof(**m->v));
	*m->v[m->count++] = (struct member){ *n, len, rule->quota };
	return 0;
}

static int compare(const struct member *a, const struct member *b)
{
	int order = memcmp(a->n.s, b->n.s, a->group < b->group ? a->group : b->group);

	return order ? order : (a->group > b->group) - (a->group < b->group);
}

static int by_group(const void *a, const void *b)
{
	const struct member *const *one = a, *const *other = b;
	int order = compare(*one, *other);

	return order ? order : strcmp((*one)->n.s, (*other)->n.s);
}

struct sum {
	struct registry *r;
	struct gc_work w;
	const struct name *n;
	struct digestset named;         /* by manifests of the repository */
	struct quota_memory all, kept;  /* content of the group */
	bool keep_all;                  /* a manifest of the repository cannot be read: a collection keeps all of it */
};

static int add(struct sum *s, const struct digest *content, bool kept, struct err *e)
{
	unsigned char key[QUOTA_KEY];
	const struct quota_record *known;
	uint64_t size = 0;

	quota_key(content, key);
	known = quota_memory_has(&s->all, key);
	if (known)
		size = known->size;
	else if (quota_size(s->r->st, content, &size, e) < 0)
		return -1;
	quota_memory_add(&s->all, content, size);
	if (kept)
		quota_memory_add(&s->kept, content, size);
	return 0;
}

static int visit_revision(void *arg, const struct digest *d, struct err *e)
{
	cleanup_references struct references refs = REFERENCES_INIT;
	struct sum *s = arg;
	struct digest content;
	int found = quota_link(s->r->st, s->n, QUOTA_REVISION, d, &content, e);
	size_t i;

	if (found <= 0)
		return found;
	if (add(s, &content, true, e) < 0 || (found = gc_references(&s->w, &content, &refs, e)) < 0)
		return -1;
	s->keep_all |= found == 0;
	for (i = 0; i < refs.count; i++)
		digestset_add(&s->named, &refs.v[i]);
	return 0;
}

static int visit_layer(void *arg, const struct digest *d, struct err *e)
{
	struct sum *s = arg;
	struct digest content;
	int found = quota_link(s->r->st, s->n, QUOTA_LAYER, d, &content, e);

	return found <= 0 ? found : add(s, &content, s->keep_all || digestset_has(&s->named, d), e);
}

static int add_repository(struct sum *s, const struct name *n, struct err *e)
{
	int rc;

	s->n = n;
	s->keep_all = false;
	rc = revision_walk(s->r->st, n, visit_revision, s, e);
	if (rc == 0)
		rc = blob_walk_links(s->r->st, n, visit_layer, s, e);
	digestset_release(&s->named);
	return rc;
}

/* The members from `from` on that are of one group: one more than the last; 0 with *e. */
static size_t sum_up(struct registry *r, const struct members *m, size_t from, struct quota_use *u, struct err *e)
{
	struct sum s = { .r = r, .w = { .r = r } };
	size_t i = from;
	int rc = 0;

	for (; rc == 0 && i < m->count && compare(m->v[i], m->v[from]) == 0; i++)
		rc = add_repository(&s, &m->v[i]->n, e);
	u->quota = m->v[from]->quota;
	u->used = s.all.used;
	u->left = s.all.used - s.kept.used;
	u->repositories = i - from;
	quota_memory_release(&s.all);
	quota_memory_release(&s.kept);
	return rc < 0 ? 0 : i;
}

static int find_members(struct registry *r, struct members *m, struct err *e)
{
	if (!rules_any(r->cfg, RULE_QUOTA))
		return 0;
	if (repo_walk(r->st, NULL, add_member, m, e) < 0)
		return -1;
	if (m->count)
		qsort(m->v, m->count, sizeof(struct member *), by_group);
	return 0;
}

int quotas_list(struct registry *r, int (*tell)(void *arg, const struct quota_use *u, struct err *e), void *arg, struct err *e)
{
	struct members m = { .cfg = r->cfg };
	size_t at = 0;
	int rc = find_members(r, &m, e);

	while (rc == 0 && at < m.count) {
		cleanup_str struct str group = STR_INIT;
		struct quota_use u = { 0 };
		const struct member *first = m.v[at];

		str_add(&group, first->n.s, first->group);
		u.group = group.buf;
		at = sum_up(r, &m, at, &u, e);
		rc = at ? tell(arg, &u, e) : -1;
	}
	members_release(&m);
	return rc;
}

static bool is_first(const struct members *m, size_t i)
{
	return !i || compare(m->v[i], m->v[i - 1]) != 0;
}

int quotas_check(struct registry *r, int (*tell)(void *arg, const struct name *n, const char *group, const char *what, struct err *e), void *arg,
		 struct err *e)
{
	struct members m = { .cfg = r->cfg };
	size_t i;
	int rc = find_members(r, &m, e);

	for (i = 0; rc == 0 && i < m.count; i++) {
		cleanup_str struct str group = STR_INIT, what = STR_INIT;

		if (!is_first(&m, i))
			continue;
		rc = quota_check(r->st, &m.v[i]->n, &what, e);
		str_add(&group, m.v[i]->n.s, m.v[i]->group);
		if (rc == 1)
			rc = tell(arg, &m.v[i]->n, group.buf, what.buf, e);
	}
	members_release(&m);
	return rc;
}

int quotas_prepare(struct registry *r, struct err *e)
{
	struct members m = { .cfg = r->cfg };
	size_t i;
	int rc = *r->st->epoch ? find_members(r, &m, e) : 0;

	for (i = 0; rc == 0 && i < m.count; i++) {
		cleanup_err struct err failed = ERR_INIT;
		cleanup_str struct str why = STR_INIT;

		if (!is_first(&m, i) || quota_prepare(r->st, &m.v[i]->n, &failed) == 0)
			continue;
		err_text(&failed, &why);
		log_say(LOG_WARN, "quota", "cannot count what %.*s has: %s", (int)m.v[i]->group, m.v[i]->n.s, why.buf);
	}
	members_release(&m);
	return rc;
}
