/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_blob: blob operations.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_blob.h"

#include "os/file.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/lock.h"
#include "store/repo.h"
#include "store/store_path.h"

int reg_blob_find(struct registry *r, const struct name *n, const struct digest *d, bool keep, struct blob_info *out,
		  struct err *e)
{
	cleanup_collector struct store *held = NULL;
	int found;

	if (keep && !r->st->readonly) {
		if (lock_collector(r->st, e) < 0)
			return -1;
		held = r->st;
	}
	found = blob_find(r->st, n, d, held != NULL, &out->content, &out->size, e);
	if (found == 1 && held &&
	    collector_note(r->st, n, (const struct digest[]){ *d, out->content }, 2, e) < 0)
		return -1;
	return found == 0 ? err_set(e, ERR_BLOB_UNKNOWN, "%s", d->text) : found < 0 ? -1 : 0;
}

void reg_blob_location(const struct digest *content, struct str *out)
{
	path_blob_below(out, content);
}

int reg_blob_delete(struct registry *r, const struct name *n, const struct digest *d, struct err *e)
{
	int found = blob_unlink(r->st, n, d, e);

	return found == 0 ? err_set(e, ERR_BLOB_UNKNOWN, "%s", d->text) : found < 0 ? -1 : 0;
}

struct mount {
	struct registry *r;
	const struct name *to;
	const struct digest *d;
	const struct repo_filter *of;
};

static int mount_from(void *arg, const struct name *from, struct err *e)
{
	struct mount *m = arg;

	if (m->of && !m->of->has(m->of->arg, from))
		return 0;
	return blob_link(m->r->st, m->to, m->d, from, e);
}

int reg_blob_mount(struct registry *r, const struct name *n, const struct digest *d, const struct name *from,
		   const struct repo_filter *of, struct err *e)
{
	struct mount m = { .r = r, .to = n, .d = d, .of = of };
	cleanup_fd int fd = -1;
	uint64_t size;
	int found;

	if (from)
		return mount_from(&m, from, e);
	/*
	 * Content that lies in the store but belongs to no repository is nobody's to give. Where not all repositories may
	 * be taken from, that it lies here at all is not to be told: then all that may are looked into, each time.
	 */
	found = of ? 1 : blob_open(r->st, d, &fd, &size, e);
	return found <= 0 ? found : repo_walk(r->st, NULL, mount_from, &m, e);
}
