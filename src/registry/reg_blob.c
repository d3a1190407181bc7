/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_blob: blob operations.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_blob.h"

#include <string.h>

#include "os/file.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/lock.h"
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
};

/* Most repositories lack the blob: find out before blob_link takes the lock. */
static int mount_from(void *arg, const struct name *from, struct err *e)
{
	struct mount *m = arg;
	struct digest content;
	uint64_t size;
	int found = blob_find(m->r->st, from, m->d, false, &content, &size, e);

	return found == 1 ? blob_link(m->r->st, m->to, m->d, from, e) : found;
}

static bool is_among(const struct repo_filter *of, const struct name *n)
{
	return !of || of->has(of->arg, n);
}

/* Repositories of one team share a prefix and probably layers: search the names after "team/" first. */
static int mount_from_any(struct mount *m, const struct repo_filter *of, struct err *e)
{
	cleanup_str struct str near = STR_INIT;
	const char *slash = strrchr(m->to->s, '/');
	size_t budget = REG_BLOB_MOUNT_MAX;
	int rc = is_among(of, m->to) ? mount_from(m, m->to, e) : 0;

	if (slash)
		str_add(&near, m->to->s, (size_t)(slash + 1 - m->to->s));
	if (rc == 0 && near.len)
		rc = reg_walk(m->r, of, near.buf, &budget, 0, mount_from, m, e);
	if (rc == 0)
		rc = reg_walk(m->r, of, "", &budget, 0, mount_from, m, e);
	return rc == REG_WALK_LIMIT ? 0 : rc;
}

int reg_blob_mount(struct registry *r, const struct name *n, const struct digest *d, const struct name *from,
		   const struct repo_filter *of, struct err *e)
{
	struct mount m = { .r = r, .to = n, .d = d };
	cleanup_fd int fd = -1;
	uint64_t size;
	int found;

	if (from)
		return is_among(of, from) ? blob_link(r->st, n, d, from, e) : 0;
	/*
	 * Without the content no repository needs to be searched. With a filter this shortcut is not taken: its time
	 * would reveal whether a repository that the caller may not read has the content.
	 */
	found = of ? 1 : blob_open(r->st, d, &fd, &size, e);
	return found <= 0 ? found : mount_from_any(&m, of, e);
}
