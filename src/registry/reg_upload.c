/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reg_upload: upload operations.
 *
 * Owns no state: an upload is on disk, and any process can continue it. Knows nothing of HTTP or users.
 */
#include "registry/reg_upload.h"

#include <inttypes.h>

#include "base/metrics.h"
#include "conf/rules.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "store/blob.h"
#include "store/journal.h"
#include "store/repo_take.h"
#include "store/upload.h"

int reg_upload_begin(struct registry *r, const struct name *n, struct uuid *out, struct err *e)
{
	if (upload_create(r->st, n, out, e) < 0)
		return -1;
	metrics_add(METRIC_UPLOADS_BEGUN, 1);
	return 0;
}

/* The collector counts the uploads that it removes itself. */
static int end(struct upload *u, struct err *e)
{
	if (upload_remove(u, e) < 0)
		return -1;
	if (!u->taken)
		repo_tidy_now(u->st, &u->name);
	metrics_add(METRIC_UPLOADS_ENDED, 1);
	return 0;
}

static int unknown(const struct uuid *uuid, struct err *e)
{
	return err_set(e, ERR_BLOB_UPLOAD_UNKNOWN, "%s", uuid->s);
}

/* Wait for a chunk that is being appended, but not for a PUT that hashes: it locks the upload for long and changes no size. */
#define STATUS_WAIT 1000        /* milliseconds */

int reg_upload_status(struct registry *r, const struct name *n, const struct uuid *uuid, uint64_t *size,
		      struct err *e)
{
	bool busy;
	int found = upload_size(r->st, n, uuid, STATUS_WAIT, size, &busy, e);

	return found == 0 ? unknown(uuid, e) : found < 0 ? -1 : 0;
}

/* Whether a body of len bytes (`known`: or of unknown length) may be appended to `have` bytes. */
static int fits(const struct registry *r, const struct name *n, const struct chunk *c, uint64_t have, bool known, uint64_t len,
		struct err *e)
{
	uint64_t max = rules_max_size(r->cfg, n);

	if (c->unreadable)
		return err_set(e, ERR_RANGE_INVALID, "Content-Range is not the first and the last byte, \"0-9\"");
	if (c->placed && c->first != have)
		return err_set(e, ERR_RANGE_INVALID, "the chunk begins at %" PRIu64 ", the upload has %" PRIu64 " bytes",
			       c->first, have);
	if (c->placed && known && c->last - c->first + 1 != len)
		return err_set(e, ERR_RANGE_INVALID, "Content-Range gives %" PRIu64 " bytes, the body has %" PRIu64,
			       c->last - c->first + 1, len);
	return max && (have > max || len > max - have) ? reg_rules_too_large(r, n, e) : 0;
}

int reg_upload_fits(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		    uint64_t len, uint64_t *size, struct err *e)
{
	static const struct chunk anywhere = { 0 };
	bool busy;
	int found = upload_size(r->st, n, uuid, 0, size, &busy, e);

	if (found <= 0)
		return found == 0 ? unknown(uuid, e) : -1;
	/* While another request appends, the position cannot be checked: reg_upload_append does it. */
	return fits(r, n, busy ? &anywhere : c, *size, len > 0, len, e);
}

static int open_for(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		    const struct spool *body, struct upload **u, uint64_t *size, struct err *e)
{
	int found = upload_open(u, r->st, n, uuid, e);

	*size = 0;
	if (found <= 0)
		return found == 0 ? unknown(uuid, e) : -1;
	*size = (*u)->size;
	return fits(r, n, c, (*u)->size, true, body->size, e);
}

int reg_upload_append(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, uint64_t *size, struct err *e)
{
	cleanup_upload struct upload *u = NULL;

	/* Nobody knows the digest yet: bytes that the group has already cannot be told from others. */
	if (open_for(r, n, uuid, c, body, &u, size, e) < 0 || reg_quota_fits(r, n, NULL, u->size + body->size, e) < 0 ||
	    upload_append(u, body, e) < 0)
		return -1;
	*size = u->size;
	return 0;
}

static int commit(struct registry *r, const struct name *n, const struct digest *d, const struct blob_source *src, uint64_t size, struct err *e)
{
	if (blob_commit(r->st, n, d, src, e) < 0)
		return -1;
	journal_note(r->st, &(struct event){ .action = EVENT_BLOB_PUSH, .repository = n, .digest = d, .has_size = true, .size = size, .by = r->by });
	reg_quota_tell(r, n);
	return 0;
}

static int commit_body(struct registry *r, const struct name *n, struct upload *u, const struct spool *body,
		       const struct digest *d, struct err *e)
{
	static const struct chunk anywhere = { 0 };
	cleanup_spool struct spool empty = SPOOL_INIT;
	struct blob_source src = { .how = BLOB_BY_LINK, .upload = u };

	if (fits(r, n, &anywhere, 0, true, body->size, e) < 0)
		return -1;
	if (body->fd < 0) {
		if (spool_make(&empty, r->st, e) < 0)
			return -1;
		body = &empty;
	}
	if (spool_verify(r->st, body->fd, d, e) < 0)
		return -1;
	src.path = body->path.buf;
	src.fd = body->fd;
	return commit(r, n, d, &src, body->size, e);
}

int reg_upload_whole(struct registry *r, const struct name *n, const struct spool *body, const struct digest *d,
		     struct err *e)
{
	return commit_body(r, n, NULL, body, d, e);
}

static int finish_data(struct registry *r, struct upload *u, const struct spool *body, const struct digest *d,
		       struct err *e)
{
	cleanup_str struct str path = STR_INIT;
	struct blob_source src = { .how = BLOB_BY_RENAME, .fd = u->fd, .upload = u };
	uint64_t before = u->size;

	upload_data_path(u, &path);
	src.path = path.buf;
	if (upload_append(u, body, e) == 0 && spool_verify(r->st, u->fd, d, e) == 0 &&
	    commit(r, &u->name, d, &src, u->size, e) == 0)
		return 0;
	if (e->code != ERR_DIGEST_INVALID)
		upload_cut(u, before);
	return -1;
}

int reg_upload_finish(struct registry *r, const struct name *n, const struct uuid *uuid, const struct chunk *c,
		      const struct spool *body, const struct digest *d, uint64_t *size, struct err *e)
{
	static const struct chunk anywhere = { 0 };
	cleanup_upload struct upload *u = NULL;
	struct err ignored = ERR_INIT;
	int rc;

	/* Without a body Content-Range has no meaning. */
	if (open_for(r, n, uuid, body->size ? c : &anywhere, body, &u, size, e) < 0 ||
	    reg_quota_fits(r, n, d, u->size + body->size, e) < 0)        /* before it is hashed */
		return -1;
	rc = u->fd < 0 ? commit_body(r, n, u, body, d, e) : finish_data(r, u, body, d, e);
	if (rc < 0 && e->code != ERR_DIGEST_INVALID && !u->taken)
		return -1;
	/* The upload is over in any case; if its files cannot be removed now, the collector removes them. */
	end(u, &ignored);
	err_release(&ignored);
	return rc;
}

int reg_upload_cancel(struct registry *r, const struct name *n, const struct uuid *uuid, struct err *e)
{
	cleanup_upload struct upload *u = NULL;
	int found = upload_open(&u, r->st, n, uuid, e);

	if (found <= 0)
		return found == 0 ? unknown(uuid, e) : -1;
	return end(u, e);
}
