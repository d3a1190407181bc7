/* SPDX-License-Identifier: Apache-2.0 */
/* h_uploads: /v2/<name>/blobs/uploads/ and /v2/<name>/blobs/uploads/<uuid>. */
#include <inttypes.h>
#include <string.h>

#include "conf/rules.h"
#include "http/body.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "http/location.h"
#include "http/range.h"
#include "registry/reg_blob.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "registry/reg_upload.h"

/*
 * registry:2's Location has a query, and scripts rely on it: they append "&digest=". This one has no meaning, except to a
 * proxy that has to tell berth's uploads from those of registry:2 (doc/OPERATING.md, "From registry:2 to berth, and back").
 */
#define UPLOAD_STATE "_state=berth"

static void upload_headers(struct exchange *x, const struct uuid *uuid, uint64_t size)
{
	location_set(x, "/v2/%s/blobs/uploads/%s?" UPLOAD_STATE, x->name.s, uuid->s);
	response_header(&x->rs, "Docker-Upload-UUID", "%s", uuid->s);
	response_header(&x->rs, "Range", "0-%" PRIu64, size ? size - 1 : 0);
}

static int blob_created(struct exchange *x, const struct digest *d)
{
	x->rs.status = 201;
	location_set(x, "/v2/%s/blobs/%s", x->name.s, d->text);
	response_header(&x->rs, "Docker-Content-Digest", "%s", d->text);
	return 0;
}

/* A digest in the query: 1 given and well formed, 0 not given, -1 DIGEST_INVALID. */
static int query_digest(struct exchange *x, const char *key, struct digest *d, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int found = request_query(&x->rq, key, &text);

	if (found < 0)
		return err_set(e, ERR_DIGEST_INVALID, "%s", key);
	return found == 0 ? 0 : request_digest(d, text.buf, text.len, e) < 0 ? -1 : 1;
}

static int check_size(struct exchange *x, struct err *e)
{
	uint64_t max = rules_max_size(x->reg->cfg, &x->name);

	return max && x->rq.length_known && x->rq.length > max ? reg_rules_too_large(x->reg, &x->name, e) : 0;
}

/* Whether the body, if its length is known, has room in the quota beside `have` bytes that the upload has already. */
static int check_quota(struct exchange *x, const struct digest *d, uint64_t have, struct err *e)
{
	return x->rq.length_known ? reg_quota_fits(x->reg, &x->name, d, have + x->rq.length, e) : 0;
}

/* digest-algorithm is a hint: the digest at the end of the upload decides. An unknown algorithm is refused at once. */
static int check_algorithm(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int given = request_query(&x->rq, "digest-algorithm", &text), alg;

	for (alg = 0; given == 1 && alg < DIGEST_ALG_COUNT; alg++)
		if (strcmp(text.buf, digest_alg_name((enum digest_alg)alg)) == 0)
			given = 0;
	return given == 0 ? 0 : err_set(e, ERR_DIGEST_INVALID, "digest-algorithm: %.64s", text.buf);
}

int h_uploads_post_check(struct exchange *x, struct err *e)
{
	struct digest d;
	int given;

	if (check_algorithm(x, e) < 0)
		return -1;
	if (query_digest(x, "mount", &d, e) < 0 || (given = query_digest(x, "digest", &d, e)) < 0 || guard_allow_mount(x, e) < 0 ||
	    check_size(x, e) < 0)
		return -1;
	return given ? check_quota(x, &d, 0, e) : 0;
}

/* 1 mounted; 0 not: the request then begins an ordinary upload, even where `from` is invalid. */
static int try_mount(struct exchange *x, const struct digest *d, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	int given = request_query(&x->rq, "from", &text);
	cleanup_repo_filter struct repo_filter of = REPO_FILTER_INIT;
	const struct repo_filter *may = guard_may_pull(x, &of);
	struct name from;

	if (given == 0)
		return reg_blob_mount(x->reg, &x->name, d, NULL, may, e);
	if (given < 0 || name_parse(&from, text.buf, text.len) < 0)
		return 0;
	return reg_blob_mount(x->reg, &x->name, d, &from, may, e);
}

/* A whole blob in the body of the POST: 1 stored, 0 the body is empty. */
static int try_whole(struct exchange *x, const struct digest *d, struct err *e)
{
	cleanup_spool struct spool body = SPOOL_INIT;
	struct digest nothing;

	if (body_spool(x, &body, e) < 0)
		return -1;
	digest_of(&nothing, d->alg, "", 0);
	if (body.size == 0 && !digest_eq(d, &nothing))
		return 0;
	if (!x->rq.length_known && reg_quota_fits(x->reg, &x->name, d, body.size, e) < 0)
		return -1;
	return reg_upload_whole(x->reg, &x->name, &body, d, e) < 0 ? -1 : 1;
}

int h_uploads_post(struct exchange *x, struct err *e)
{
	struct digest d;
	struct uuid uuid;
	int done = query_digest(x, "mount", &d, e);

	if (done == 1)
		done = try_mount(x, &d, e);
	if (done == 0 && (done = query_digest(x, "digest", &d, e)) == 1)
		done = try_whole(x, &d, e);
	if (done < 0)
		return -1;
	if (done)
		return blob_created(x, &d);
	if (reg_upload_begin(x->reg, &x->name, &uuid, e) < 0)
		return -1;
	x->rs.status = 202;
	upload_headers(x, &uuid, 0);
	return 0;
}

static int upload_uuid(struct exchange *x, struct uuid *uuid, struct err *e)
{
	if (uuid_parse(uuid, x->tail, x->tail_len) == 0)
		return 0;
	return err_set(e, ERR_BLOB_UPLOAD_UNKNOWN, "%.*s", (int)x->tail_len, x->tail);
}

/* An empty Content-Range says nothing. */
static void upload_chunk(struct exchange *x, struct chunk *c)
{
	cleanup_str struct str text = STR_INIT;

	*c = (struct chunk){ 0 };
	if (!request_header(&x->rq, "HTTP_CONTENT_RANGE", &text) || !text.len)
		return;
	c->placed = content_range_parse(text.buf, &c->first, &c->last) == 0;
	c->unreadable = !c->placed;
}

/* A chunk at the wrong offset is refused with the size of the upload so far, so that the client can resume. */
static int with_offset(struct exchange *x, const struct uuid *uuid, uint64_t size, int rc, const struct err *e)
{
	if (rc == 0 || e->code == ERR_RANGE_INVALID)
		upload_headers(x, uuid, size);
	return rc;
}

int h_upload_get(struct exchange *x, struct err *e)
{
	struct uuid uuid;
	uint64_t size;

	if (upload_uuid(x, &uuid, e) < 0 || reg_upload_status(x->reg, &x->name, &uuid, &size, e) < 0)
		return -1;
	x->rs.status = 204;
	upload_headers(x, &uuid, size);
	return 0;
}

int h_upload_patch_check(struct exchange *x, struct err *e)
{
	struct chunk c;
	struct uuid uuid;
	uint64_t size;
	int rc;

	if (upload_uuid(x, &uuid, e) < 0)
		return -1;
	upload_chunk(x, &c);
	rc = reg_upload_fits(x->reg, &x->name, &uuid, &c, x->rq.length, &size, e);
	return rc == 0 && check_quota(x, NULL, size, e) < 0 ? -1 : with_offset(x, &uuid, size, rc, e);
}

int h_upload_patch(struct exchange *x, struct err *e)
{
	cleanup_spool struct spool body = SPOOL_INIT;
	struct chunk c;
	struct uuid uuid;
	uint64_t size;
	int rc;

	if (upload_uuid(x, &uuid, e) < 0 || body_spool(x, &body, e) < 0)
		return -1;
	upload_chunk(x, &c);
	rc = reg_upload_append(x->reg, &x->name, &uuid, &c, &body, &size, e);
	if (rc == 0)
		x->rs.status = 202;
	return with_offset(x, &uuid, size, rc, e);
}

/*
 * Scripts that were written for a Location without a query append "?digest=", so that it ends up in the value of _state:
 * 1 well formed, 0 none, -1 DIGEST_INVALID.
 */
static int misplaced_digest(struct exchange *x, struct digest *d, struct err *e)
{
	static const char mark[] = "?digest=";
	cleanup_str struct str state = STR_INIT;
	const char *at = request_query(&x->rq, "_state", &state) == 1 ? strstr(state.buf, mark) : NULL;

	if (!at)
		return 0;
	at += strlen(mark);
	return request_digest(d, at, strlen(at), e) < 0 ? -1 : 1;
}

static int final_digest(struct exchange *x, struct digest *d, struct err *e)
{
	int given = query_digest(x, "digest", d, e);

	if (given == 0)
		given = misplaced_digest(x, d, e);
	return given == 0 ? err_set(e, ERR_DIGEST_INVALID, "digest is missing") : given < 0 ? -1 : 0;
}

int h_upload_put_check(struct exchange *x, struct err *e)
{
	struct chunk c = { 0 };
	struct digest d;
	struct uuid uuid;
	uint64_t size;
	int rc;

	if (upload_uuid(x, &uuid, e) < 0)
		return -1;
	/* Content-Range counts only with a body. Without Content-Length it is not known yet whether there is one. */
	if (x->rq.length_known && x->rq.length > 0)
		upload_chunk(x, &c);
	rc = reg_upload_fits(x->reg, &x->name, &uuid, &c, x->rq.length, &size, e);
	if (rc < 0)
		return with_offset(x, &uuid, size, rc, e);
	return final_digest(x, &d, e) < 0 ? -1 : check_quota(x, &d, size, e);
}

int h_upload_put(struct exchange *x, struct err *e)
{
	cleanup_spool struct spool body = SPOOL_INIT;
	struct chunk c = { 0 };
	struct digest d;
	struct uuid uuid;
	uint64_t size;

	if (upload_uuid(x, &uuid, e) < 0 || final_digest(x, &d, e) < 0 || body_spool(x, &body, e) < 0)
		return -1;
	if (body.size)
		upload_chunk(x, &c);
	if (reg_upload_finish(x->reg, &x->name, &uuid, &c, &body, &d, &size, e) < 0)
		return with_offset(x, &uuid, size, -1, e);
	return blob_created(x, &d);
}

int h_upload_delete(struct exchange *x, struct err *e)
{
	struct uuid uuid;

	if (upload_uuid(x, &uuid, e) < 0 || reg_upload_cancel(x->reg, &x->name, &uuid, e) < 0)
		return -1;
	x->rs.status = 204;
	return 0;
}
