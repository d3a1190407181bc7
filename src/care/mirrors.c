/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirrors: a walk over the names of upstreams.
 *
 * Owns nothing.
 */
#include "care/mirrors.h"

#include <string.h>

#include "base/str.h"
#include "store/repo.h"

#define BEHIND 2                /* no other visitor's value: the walk has left the upstream's names */

struct walk {
	struct registry *r;
	const struct config_upstream *u;
	mirror_visit *visit;
	void *arg;
	int rc;                 /* what the visitor said */
};

/* Names come in byte order, so those of an upstream stand together. Another upstream's name may begin with this one's. */
static int visit_one(void *arg, const struct name *n, struct err *e)
{
	struct walk *w = arg;
	size_t len = strlen(w->u->name);

	if (!w->u->whole && (strncmp(n->s, w->u->name, len) != 0 || n->s[len] != '/'))
		return BEHIND;
	w->rc = upstream_of(w->r->cfg, n, NULL) == w->u ? w->visit(w->arg, n, w->u, e) : 0;
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

int mirrors_each(struct registry *r, const struct config_upstream *u, mirror_visit *visit, void *arg, struct err *e)
{
	struct walk w = { .r = r, .visit = visit, .arg = arg };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->cfg->nupstreams; i++) {
		w.u = &r->cfg->upstreams[i];
		if (!u || u == w.u)
			rc = each_of(&w, e);
	}
	return rc;
}
