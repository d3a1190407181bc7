/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict_judge: one walk over repositories that are no mirrors.
 *
 * Owns nothing. While no berth served another registry may have linked what a mirror brought, and could not say so.
 */
#include "care/evict_judge.h"

#include <string.h>

#include "base/digestlist.h"
#include "store/alone.h"
#include "store/blob.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/revision.h"
#include "store/tag.h"
#include "store/undo.h"

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

/* What was deleted and can be restored, with all that it names: the mark keeps it without a link. */
static int visit_marks(struct judging *j, const struct name *n, struct err *e)
{
	cleanup_undo_marks struct undo_marks marks = UNDO_MARKS_INIT;
	struct digest_list next = DIGEST_LIST_INIT;
	struct digestset met = DIGESTSET_INIT;
	int rc = undo_read(j->w->r->st, n, &marks, e);

	for (size_t i = 0; i < marks.count; i++)
		digest_list_add(&next, &marks.v[i].digest);
	for (size_t i = 0; rc == 0 && i < next.count; i++) {
		cleanup_references struct references refs = REFERENCES_INIT;
		struct digest d = next.v[i];    /* the list grows meanwhile */
		int readable = 0;

		if (digestset_has(&met, &d))
			continue;
		digestset_add(&met, &d);
		rc = forsake(j, &d, e);
		if (rc == 0)
			rc = (readable = gc_references(j->w, &d, &refs, e)) < 0 ? -1 : 0;
		for (size_t k = 0; readable == 1 && k < refs.count; k++)
			digest_list_add(&next, &refs.v[k]);
	}
	digestset_release(&met);
	digest_list_release(&next);
	return rc;
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
	       tag_walk(st, n, visit_tag, j, e) < 0 || visit_marks(j, n, e) < 0 ? -1 : 0;
}

int evict_judge(struct gc_work *w, struct str *word, struct err *e)
{
	struct judging j = { .w = w };
	int judged = alone_word(w->r->st, word, e) < 0 ? -1 : alone_judged(w->r->st, word, e), rc;

	if (judged)
		return judged < 0 ? -1 : 0;
	/* Who links content now, and looked whether a repository is a copy before it ceased to be one, has ended then. */
	if (lock_collector_alone(w->r->st, e) < 0)
		return -1;
	unlock_collector(w->r->st);
	rc = repo_walk(w->r->st, NULL, visit_repository, &j, e);
	digestset_release(&j.seen);
	return rc < 0 || alone_judge(w->r->st, word, e) < 0 ? -1 : 0;
}

int evict_doubted(struct gc_work *w, const struct str *word, struct err *e)
{
	cleanup_str struct str now = STR_INIT;

	return alone_word(w->r->st, &now, e) < 0 ? -1 : now.len != word->len || memcmp(now.buf, word->buf, now.len) != 0;
}
