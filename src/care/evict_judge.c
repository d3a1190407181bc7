/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_judge: one walk over repositories that are no mirrors.
 *
 * Owns nothing. While no berth served another registry may have linked what a mirror brought, and could not say so.
 */
#include "care/evict_judge.h"

#include "store/alone.h"
#include "store/blob.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"

struct judging {
	struct gc_work *w;
	const struct name *n;
	struct digestset seen;          /* content that has been looked at */
};

static int forsake(struct judging *j, const struct digest *content, struct err *e)
{
	if (digestset_has(&j->seen, content))
		return 0;
	digestset_add(&j->seen, content);
	return blob_forsake(j->w->r->st, content, e);
}

/* The link of a sha256 digest holds that digest, unless it is corrupt: then fsck may repair it. */
static int visit_layer(void *arg, const struct digest *d, struct err *e)
{
	struct judging *j = arg;
	struct digest target;
	int found = d->alg == DIGEST_SHA256 ? 0 : blob_read_link(j->w->r->st, j->n, d, &target, e);

	return found < 0 || (found && forsake(j, &target, e) < 0) ? -1 : forsake(j, d, e);
}

static int visit_revision(void *arg, const struct digest *d, struct err *e)
{
	struct judging *j = arg;
	struct digest target;
	int found = d->alg == DIGEST_SHA256 ? 0 : revision_read(j->w->r->st, j->n, d, &target, e);

	return found < 0 || (found && forsake(j, &target, e) < 0) ? -1 : forsake(j, d, e);
}

/* One may point to a manifest whose link was lost in a crash of another registry. */
static int visit_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	(void)t;
	return forsake(arg, d, e);
}

static int visit_repository(void *arg, const struct name *n, struct err *e)
{
	struct judging *j = arg;
	struct store *st = j->w->r->st;

	if (gc_goes_on(e) < 0)
		return -1;
	if (alone_mirror(st, n))
		return 0;
	j->n = n;
	return blob_walk_links(st, n, visit_layer, j, e) < 0 || revision_walk(st, n, visit_revision, j, e) < 0 ||
	       tag_walk(st, n, visit_tag, j, e) < 0 ? -1 : 0;
}

int evict_judge(struct gc_work *w, struct err *e)
{
	struct judging j = { .w = w };
	int judged = alone_judged(w->r->st, e), rc;

	if (judged)
		return judged < 0 ? -1 : 0;
	rc = repo_walk(w->r->st, NULL, visit_repository, &j, e);
	digestset_release(&j.seen);
	return rc < 0 || alone_judge(w->r->st, e) < 0 ? -1 : 0;
}
