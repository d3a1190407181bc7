/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors: a walk over the names of upstreams.
 *
 * Owns nothing.
 */
#include "care/mirrors.h"

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "store/mirror.h"
#include "store/repo.h"

#define BEHIND 2                /* no other visitor's value: the walk has left the upstream's names */

struct walk {
	struct registry *r;
	const struct config_upstream *u;
	mirror_visit *visit;
	void *arg;
	bool pushed;            /* those that are no copies */
	int rc;                 /* what the visitor said */
};

/* Names come in byte order, so those of an upstream stand together. Another upstream's name may begin with this one's. */
static int visit_one(void *arg, const struct name *n, struct err *e)
{
	struct walk *w = arg;
	size_t len = strlen(w->u->name);
	int copied;

	if (!w->u->whole && (strncmp(n->s, w->u->name, len) != 0 || n->s[len] != '/'))
		return BEHIND;
	if (upstream_of(w->r->cfg, n, NULL) != w->u)
		return 0;
	copied = mirror_copied(w->r->st, n, e);
	w->rc = copied < 0 ? -1 : copied == !w->pushed ? w->visit(w->arg, n, w->u, e) : 0;
	return w->rc;
}

static int each_of(struct walk *w, struct err *e)
{
	cleanup_str struct str after = STR_INIT;
	int rc;

	if (!w->u->whole)
		str_addf(&after, "%s/", w->u->name);
	rc = repo_walk(w->r->st, after.buf, visit_one, w, e);
	return w->rc ? w->rc : rc < 0 ? -1 : 0;
}

static int each(struct walk *w, const struct config_upstream *u, struct err *e)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->r->cfg->nupstreams; i++) {
		w->u = &w->r->cfg->upstreams[i];
		if (!u || u == w->u)
			rc = each_of(w, e);
	}
	return rc;
}

int mirrors_each(struct registry *r, const struct config_upstream *u, mirror_visit *visit, void *arg, struct err *e)
{
	struct walk w = { .r = r, .visit = visit, .arg = arg };

	return each(&w, u, e);
}

struct pushed {
	size_t count;
	struct name first;
};

static int visit_pushed(void *arg, const struct name *n, const struct config_upstream *u, struct err *e)
{
	struct pushed *p = arg;

	(void)u;
	(void)e;
	if (!p->count++)
		p->first = *n;
	return 0;
}

void mirrors_warn(struct registry *r)
{
	struct pushed p = { 0 };
	struct walk w = { .r = r, .visit = visit_pushed, .arg = &p, .pushed = true };
	cleanup_err struct err e = ERR_INIT;

	if (each(&w, NULL, &e) < 0)
		log_say(LOG_WARN, "configuration", "cannot look for pushed repositories that have the name of an upstream: %s", e.cause);
	else if (p.count)
		log_say(LOG_WARN, "configuration", "pushed repositories have the name of an upstream: %zu, the first is %s; nobody can push to "
			"them now, and nothing of them is evicted", p.count, p.first.s);
}
