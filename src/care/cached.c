/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cached: tags, links and pulls of mirrored repositories.
 *
 * Owns the list of tags of the repository that is visited.
 */
#include "care/cached.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "care/mirrors.h"
#include "store/blob.h"
#include "store/mirror.h"
#include "store/pulled.h"
#include "store/revision.h"
#include "store/tag.h"

struct listing {
	struct registry *r;
	int (*visit)(void *arg, const struct cached *c, struct err *e);
	void *arg;
	struct cached_total *total;
	struct cached c;
	struct cached_tag *tags;        /* owned */
	size_t cap;
};

static struct cached_tag *add_tag(struct listing *l, const struct tag *t)
{
	if (l->c.ntags == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 64;
		l->tags = xreallocarray(l->tags, l->cap, sizeof(*l->tags));
	}
	l->tags[l->c.ntags] = (struct cached_tag){ .tag = *t };
	return &l->tags[l->c.ntags++];
}

static int visit_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct listing *l = arg;
	struct cached_tag *now = add_tag(l, t);

	now->digest = *d;
	now->here = true;
	return mirror_checked(l->r->st, &l->c.n, t, &now->checked, e) < 0 || pulled_tag(l->r->st, &l->c.n, t, &now->pulled, e) < 0 ? -1 : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct cached_tag *x = a, *y = b;

	return strcmp(x->tag.s, y->tag.s);
}

static int add_pins(struct listing *l, struct err *e)
{
	cleanup_names struct names pins = NAMES_INIT;
	struct cached_tag *found;
	struct cached_tag wanted;

	if (mirror_pins(l->r->st, &l->c.n, &pins, e) < 0)
		return -1;
	for (size_t i = 0, here = l->c.ntags; i < pins.count; i++) {
		if (tag_parse(&wanted.tag, pins.v[i], strlen(pins.v[i])) < 0)
			continue;
		found = here ? bsearch(&wanted, l->tags, here, sizeof(*l->tags), by_name) : NULL;
		(found ? found : add_tag(l, &wanted.tag))->pinned = true;
	}
	if (l->c.ntags)
		qsort(l->tags, l->c.ntags, sizeof(*l->tags), by_name);
	return 0;
}

static void add_content(struct listing *l, const struct digest *content, int64_t when)
{
	l->c.bytes += blob_size(l->r->st, content);
	l->c.pulled = when > l->c.pulled ? when : l->c.pulled;
}

static int visit_layer(void *arg, const struct digest *d, struct err *e)
{
	struct listing *l = arg;
	struct digest content;
	int64_t when;
	int found = blob_last_pull(l->r->st, &l->c.n, d, &when, &content, e);

	if (found != 1)
		return found;
	l->c.blobs++;
	add_content(l, &content, when);
	return 0;
}

static int visit_revision(void *arg, const struct digest *d, struct err *e)
{
	struct listing *l = arg;
	struct digest content;
	int64_t when;
	int found = revision_find(l->r->st, &l->c.n, d, &content, e);

	if (found != 1 || pulled_digest(l->r->st, &l->c.n, d, &when, e) < 0)
		return found != 1 ? found : -1;
	l->c.manifests++;
	add_content(l, &content, when);
	return 0;
}

static int visit_repository(void *arg, const struct name *n, const struct config_upstream *u, struct err *e)
{
	struct listing *l = arg;
	struct store *st = l->r->st;

	l->c = (struct cached){ .n = *n, .upstream = u };
	if (tag_walk(st, n, visit_tag, l, e) < 0 || add_pins(l, e) < 0 || blob_walk_links(st, n, visit_layer, l, e) < 0 ||
	    revision_walk(st, n, visit_revision, l, e) < 0)
		return -1;
	l->c.tags = l->tags;
	l->total->repositories++;
	l->total->tags += l->c.ntags;
	l->total->manifests += l->c.manifests;
	l->total->blobs += l->c.blobs;
	l->total->bytes += l->c.bytes;
	return l->visit(l->arg, &l->c, e);
}

int cached_each(struct registry *r, const struct config_upstream *u, int (*visit)(void *arg, const struct cached *c, struct err *e), void *arg,
		struct cached_total *total, struct err *e)
{
	struct listing l = { .r = r, .visit = visit, .arg = arg, .total = total };
	int rc;

	*total = (struct cached_total){ 0 };
	rc = mirrors_each(r, u, visit_repository, &l, e);
	free(l.tags);
	return rc;
}
