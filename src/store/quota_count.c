/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota_count: a walk over the repositories of a group.
 *
 * Owns nothing. Calls neither blob nor revision: they count by the modules above this one.
 */
#include "store/quota_count.h"

#include <errno.h>
#include <string.h>

#include "os/file.h"
#include "store/link.h"
#include "store/repo.h"
#include "store/store_path.h"

void quota_path(struct str *p, const struct name *n, enum quota_kind kind, const struct digest *called)
{
	(kind == QUOTA_LAYER ? path_layer : path_revision)(p, n, called);
}

int quota_link(struct store *st, const struct name *n, enum quota_kind kind, const struct digest *called, struct digest *target,
	       struct err *e)
{
	cleanup_str struct str dir = STR_INIT;

	quota_path(&dir, n, kind, called);
	return link_find(st, dir.buf, called, target, e);
}

int quota_size(struct store *st, const struct digest *content, uint64_t *size, struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	int64_t when;

	*size = 0;
	path_blob(&path, content);
	return os_age(st->dirfd, path.buf, &when, size) == 0 || os_gone(errno) ? 0 : err_sys(e, "cannot look at %s", path.buf);
}

struct walk {
	struct store *st;
	const struct name *n;
	enum quota_kind kind;
	digest_visit *visit;
	void *arg;
};

static int visit_link(void *arg, const struct digest *called, struct err *e)
{
	struct walk *w = arg;
	struct digest target;
	int found = quota_link(w->st, w->n, w->kind, called, &target, e);

	return found == 1 ? w->visit(w->arg, &target, e) : found;
}

int quota_each(struct store *st, const struct name *n, digest_visit *visit, void *arg, struct err *e)
{
	struct walk w = { st, n, QUOTA_LAYER, visit, arg };
	int rc = walk_all(st, n, path_layers, visit_link, &w, e);

	w.kind = QUOTA_REVISION;
	return rc ? rc : walk_all(st, n, path_revisions, visit_link, &w, e);
}

struct count {
	struct store *st;
	const struct quota_group *g;
	struct quota_memory *m;
};

/* Content that has been met already is not looked at again. */
static int add(void *arg, const struct digest *content, struct err *e)
{
	unsigned char key[QUOTA_KEY];
	struct count *c = arg;
	uint64_t size = 0;

	quota_key(content, key);
	if (!quota_memory_at(c->m, key)->count && quota_size(c->st, content, &size, e) < 0)
		return -1;
	quota_memory_add(c->m, content, size);
	return 0;
}

/* Names come in byte order, so those that begin with the group's text and a slash stand together: 1 ends the walk behind them. */
static int visit_repository(void *arg, const struct name *n, struct err *e)
{
	struct count *c = arg;
	size_t len = strlen(c->g->text);

	if (quota_is_in(c->st, n, c->g))
		return quota_each(c->st, n, add, c, e);
	if (!len || strncmp(n->s, c->g->text, len) < 0)
		return 0;
	return strncmp(n->s, c->g->text, len) > 0 || n->s[len] > '/';
}

int quota_count(struct store *st, const struct quota_group *g, struct quota_memory *m, struct err *e)
{
	struct count c = { st, g, m };
	struct name top;
	int rc = 0;

	quota_memory_release(m);
	/* The repository that has the group's name, and then what lies below it: '.' is the byte before '/'. */
	if (*g->text && name_parse(&top, g->text, strlen(g->text)) == 0)
		rc = visit_repository(&c, &top, e);
	if (rc >= 0) {
		cleanup_str struct str after = STR_INIT;

		if (*g->text)
			str_addf(&after, "%s.", g->text);
		rc = repo_walk(st, after.buf, visit_repository, &c, e);
	}
	return rc < 0 ? -1 : 0;
}
