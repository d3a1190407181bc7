/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_blob: blob operations.
 *
 * Owns no state. Knows nothing of HTTP or users.
 */
#include "registry/reg_blob.h"

#include <string.h>

#include "conf/rules.h"
#include "os/file.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "store/blob.h"
#include "store/collector.h"
#include "store/journal.h"
#include "store/lock.h"
#include "store/nearby.h"
#include "store/store_path.h"

/* For a reader, who takes no lock. */
static int look(struct registry *r, const struct name *n, const struct digest *d, struct blob_file *out, struct err *e)
{
	bool pull = !r->cfg->readonly && upstream_of(r->cfg, n, NULL);
	struct nearby_look l;
	int found;

	nearby_begin(&l, r->st, n, NEARBY_LAYERS, d);
	do {
		err_release(e);
		found = pull ? blob_pulled(r->st, n, d, out, e) : blob_look(r->st, n, d, out, e);
	} while (nearby_again(&l, found == 1));
	return found;
}

int reg_blob_find(struct registry *r, const struct name *n, const struct digest *d, bool keep, struct blob_info *out,
		  struct err *e)
{
	cleanup_collector struct store *held = NULL;
	struct blob_file f = { 0 };
	int found;

	if (keep && !r->st->readonly) {
		if (lock_collector(r->st, e) < 0)
			return -1;
		held = r->st;
	}
	found = held ? blob_find(r->st, n, d, true, &f.content, &f.size, e) : look(r, n, d, &f, e);
	*out = (struct blob_info){ .content = f.content, .size = f.size, .file = f.number };
	if (found == 1 && held &&
	    collector_note(r->st, n, (const struct digest[]){ *d, out->content }, 2, e) < 0)
		return -1;
	return found == 0 ? err_set(e, ERR_BLOB_UNKNOWN, "%s", d->text) : found < 0 ? -1 : 0;
}

int reg_blob_open(struct registry *r, const struct blob_info *info, int *fd, struct err *e)
{
	uint64_t size;
	int found = blob_open(r->st, &info->content, fd, &size, e);

	return found == 0 ? err_set(e, ERR_BLOB_UNKNOWN, "%s", info->content.text) : found < 0 ? -1 : 0;
}

/*
 * A web server may keep the file open, by the text of its path, and content that was pushed again is another file. So the text says
 * which file it is: "/" and "./" mean nothing to the file system.
 */
void reg_blob_location(const struct registry *r, const struct blob_info *info, struct str *out)
{
	cleanup_str struct str below = STR_INIT;
	uint32_t bits = (uint32_t)(info->file ^ info->file >> 32);

	str_reset(out);
	for (; r->st->distant && bits; bits >>= 1)
		str_puts(out, bits & 1 ? "./" : "/");
	path_blob_below(&below, &info->content);
	str_add(out, below.buf, below.len);
}

/*
 * Where a tag may be immutable: under the repository's lock, so that none is set meanwhile that needs the blob. What the tags need is read
 * before.
 */
static int may_delete(struct registry *r, const struct name *n, const struct digest *d, int *lock, struct err *e)
{
	cleanup_reg_rules struct reg_rules_known known = REG_RULES_KNOWN_INIT;
	struct digest target;
	int found;

	if (!reg_rules_protects(r, n))
		return 0;
	found = blob_read_link(r->st, n, d, &target, e);
	if (found < 0 || (found && reg_rules_look(r, n, d, &known, e) < 0))
		return -1;
	if (lock_repository(r->st, n, lock, e) < 0 || (found = blob_read_link(r->st, n, d, &target, e)) < 0)
		return -1;
	return found ? reg_rules_remove(r, n, d, &known, e) : 0;
}

int reg_blob_delete(struct registry *r, const struct name *n, const struct digest *d, struct err *e)
{
	cleanup_fd int lock = -1;
	int found = may_delete(r, n, d, &lock, e) < 0 ? -1 : blob_unlink(r->st, n, d, e);

	if (found == 1)
		journal_note(r->st, &(struct event){ .action = EVENT_BLOB_DELETE, .repository = n, .digest = d, .by = r->by });
	return found == 0 ? err_set(e, ERR_BLOB_UNKNOWN, "%s", d->text) : found < 0 ? -1 : 0;
}

struct mount {
	struct registry *r;
	const struct name *to;
	const struct digest *d;
};

static uint64_t max_size(const struct registry *r, const struct name *n)
{
	uint64_t max = rules_max_size(r->cfg, n);

	return max ? max : UINT64_MAX;
}

static int mount_known(struct mount *m, const struct name *from, uint64_t size, struct err *e)
{
	int linked = blob_link(m->r->st, m->to, m->d, from, e);

	if (linked == 1)
		journal_note(m->r->st, &(struct event){ .action = EVENT_MOUNT, .repository = m->to, .from = from, .digest = m->d,
							.has_size = true, .size = size, .by = m->r->by });
	reg_quota_tell(m->r, m->to);
	return linked;
}

/* Most repositories lack the blob: find out before blob_link takes the lock. */
static int mount_from(void *arg, const struct name *from, struct err *e)
{
	struct mount *m = arg;
	struct digest content;
	uint64_t size;
	int found = blob_find(m->r->st, from, m->d, false, &content, &size, e);

	/* A blob that a rule of `from` allows and one of `to` does not is left to an upload, which is refused with the reason. */
	if (found == 1 && rules_any(m->r->cfg, RULE_MAX_SIZE) && size > max_size(m->r, m->to))
		return 0;
	return found == 1 ? mount_known(m, from, size, e) : found;
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

	if (from && !is_among(of, from))
		return 0;
	if (from)       /* the journal wants the size, and so does a rule */
		return journal_on(r->st) || rules_any(r->cfg, RULE_MAX_SIZE) ? mount_from(&m, from, e) : mount_known(&m, from, 0, e);
	/*
	 * Without the content no repository needs to be searched. With a filter this shortcut is not taken: its time
	 * would reveal whether a repository that the caller may not read has the content.
	 */
	found = of ? 1 : blob_open(r->st, d, &fd, &size, e);
	return found <= 0 ? found : mount_from_any(&m, of, e);
}
