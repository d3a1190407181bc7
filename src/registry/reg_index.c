/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_index: comparison of an index with the links.
 *
 * Owns no state. Invariant: when the index is marked as current, it has an entry for every link. Entries without a link
 * may remain: readers check the link of each entry.
 */
#include "registry/reg_index.h"

#include "os/file.h"
#include "registry/reg_stored.h"
#include "registry/reg_summary.h"
#include "store/index.h"
#include "store/lock.h"
#include "store/revision.h"
#include "store/tag.h"

#define FEW 64          /* up to this number each referrer is flushed by itself; for more, the whole file system once */

struct comparison {
	struct registry *r;
	const struct name *n;
	unsigned referrers;
};

struct tag_lists {
	struct names names, pairs;
};

static int add_tag(void *arg, const struct tag *t, const struct digest *d, struct err *e)
{
	struct tag_lists *l = arg;

	(void)e;
	names_add(&l->names, t->s, t->len);
	index_pair(d, t, &l->pairs);
	return 0;
}

static int compare_tags(struct registry *r, const struct name *n, struct err *e)
{
	struct tag_lists l = { NAMES_INIT, NAMES_INIT };
	int rc = tag_walk(r->st, n, add_tag, &l, e);

	if (rc == 0)
		rc = index_set_tags(r->st, n, &l.names, &l.pairs, e);
	names_release(&l.names);
	names_release(&l.pairs);
	return rc;
}

/* A directory without a link, or a link to nothing, is no referrer; fsck reports it. */
static int compare_revision(void *arg, const struct digest *d, struct err *e)
{
	cleanup_str struct str descriptor = STR_INIT;
	struct comparison *c = arg;
	struct digest subject;
	size_t read = 0;
	int found = reg_stored_referrer(c->r, c->n, d, &subject, &descriptor, &read, e);

	if (found <= 0)
		return found;
	return index_add_referrer(c->r->st, c->n, &subject, d, &descriptor, ++c->referrers <= FEW, e);
}

static int compare(struct registry *r, const struct name *n, struct err *e)
{
	struct comparison c = { .r = r, .n = n };

	if (index_begin(r->st, n, e) < 0 || compare_tags(r, n, e) < 0 ||
	    revision_walk(r->st, n, compare_revision, &c, e) != 0 || (c.referrers > FEW && index_flush(r->st, e) < 0) ||
	    reg_summary_build(r, n, e) < 0)
		return -1;
	return index_end(r->st, n, e);
}

int reg_index_ensure(struct registry *r, const struct name *n, struct err *e)
{
	int current = index_current(r->st, n, e);

	return current < 0 ? -1 : current ? 0 : compare(r, n, e);
}

int reg_index_ready(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_fd int lock = -1;
	int rc = r->st->readonly ? 0 : index_current(r->st, n, e);

	if (rc || r->st->readonly)
		return rc;
	rc = lock_repository_now(r->st, n, &lock, e);
	return rc <= 0 ? rc : reg_index_ensure(r, n, e) < 0 ? -1 : 1;
}

int reg_index_rebuild(struct registry *r, const struct name *n, struct err *e)
{
	cleanup_fd int lock = -1;

	return lock_repository(r->st, n, &lock, e) < 0 || index_clear(r->st, n, e) < 0 ? -1 : compare(r, n, e);
}
