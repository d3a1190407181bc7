/* SPDX-License-Identifier: Apache-2.0 */
/*
 * du: two walks over the links: the first finds the shared content, the second adds up sizes.
 *
 * Owns its sets while it counts. Acquires no lock: what is pushed or removed meanwhile may be counted or not.
 */
#include "care/du.h"

#include <stdbool.h>

#include "base/digestset.h"
#include "os/file.h"
#include "store/blob.h"
#include "store/repo.h"
#include "store/revision.h"

struct count {
	struct registry *r;
	struct digestset once;          /* content of at least one repository */
	struct digestset twice;         /* content of more than one */
	struct digestset told;          /* shared content that is in the total already */
	int (*tell)(void *arg, const struct name *n, const struct du *du, struct err *e);
	void *arg;
	struct du *total;

	/* the current repository */
	const struct name *n;
	struct digestset mine;
	int (*each)(struct count *c, const struct digest *content, struct err *e);
	struct du du;
};

/* First walk. */
static int learn_content(struct count *c, const struct digest *content, struct err *e)
{
	(void)e;
	digestset_add(digestset_has(&c->once, content) ? &c->twice : &c->once, content);
	return 0;
}

/* Second walk. */
static int add_content(struct count *c, const struct digest *content, struct err *e)
{
	cleanup_fd int fd = -1;
	uint64_t size;
	int found = blob_open(c->r->st, content, &fd, &size, e);

	if (found <= 0)
		return found;           /* fsck reports dangling links */
	if (!digestset_has(&c->twice, content)) {
		c->du.own += size;
		c->du.own_blobs++;
		return 0;
	}
	c->du.shared += size;
	c->du.shared_blobs++;
	if (digestset_has(&c->told, content))
		return 0;
	digestset_add(&c->told, content);
	c->total->shared += size;
	c->total->shared_blobs++;
	return 0;
}

static int visit_content(struct count *c, const struct digest *content, struct err *e)
{
	if (digestset_has(&c->mine, content))
		return 0;
	digestset_add(&c->mine, content);
	return c->each(c, content, e);
}

static int visit_layer(void *arg, const struct digest *d, struct err *e)
{
	struct count *c = arg;
	struct digest content;
	int found = blob_read_link(c->r->st, c->n, d, &content, e);

	return found <= 0 ? found : visit_content(c, &content, e);
}

static int visit_revision(void *arg, const struct digest *d, struct err *e)
{
	struct count *c = arg;
	struct digest content;
	int found = revision_read(c->r->st, c->n, d, &content, e);

	return found <= 0 ? found : visit_content(c, &content, e);
}

static int visit_repository(struct count *c, const struct name *n, struct err *e)
{
	int rc;

	c->n = n;
	c->du = (struct du){ 0 };
	rc = blob_walk_links(c->r->st, n, visit_layer, c, e);
	if (rc == 0)
		rc = revision_walk(c->r->st, n, visit_revision, c, e);
	digestset_release(&c->mine);
	return rc;
}

static int learn_repository(void *arg, const struct name *n, struct err *e)
{
	struct count *c = arg;

	c->each = learn_content;
	return visit_repository(c, n, e);
}

static int add_repository(void *arg, const struct name *n, struct err *e)
{
	struct count *c = arg;

	c->each = add_content;
	if (visit_repository(c, n, e) < 0)
		return -1;
	c->total->own += c->du.own;
	c->total->own_blobs += c->du.own_blobs;
	return c->tell(c->arg, n, &c->du, e);
}

static int all_exist(struct registry *r, const struct name *names, size_t count, struct err *e)
{
	size_t i;

	for (i = 0; i < count; i++) {
		int exists = repo_exists(r->st, &names[i], e);

		if (exists == 0)
			err_set(e, ERR_NAME_UNKNOWN, "there is no repository %s", names[i].s);
		if (exists <= 0)
			return -1;
	}
	return 0;
}

int du_count(struct registry *r, const struct name *names, size_t count,
	   int (*tell)(void *arg, const struct name *n, const struct du *du, struct err *e), void *arg, struct du *total,
	   struct err *e)
{
	struct count c = { .r = r, .tell = tell, .arg = arg, .total = total };
	size_t i;
	int rc;

	*total = (struct du){ 0 };
	rc = names ? all_exist(r, names, count, e) : 0;
	if (rc == 0)
		rc = repo_walk(r->st, NULL, learn_repository, &c, e);
	if (rc == 0 && !names)
		rc = repo_walk(r->st, NULL, add_repository, &c, e);
	for (i = 0; rc == 0 && names && i < count; i++)
		rc = add_repository(&c, &names[i], e);
	digestset_release(&c.once);
	digestset_release(&c.twice);
	digestset_release(&c.told);
	return rc;
}
