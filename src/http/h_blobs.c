/* SPDX-License-Identifier: Apache-2.0 */
/* h_blobs: /v2/<name>/blobs/<digest>. The worker names the file; nginx sends it, or ranges of it. */
#include <string.h>

#include "base/etag.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "http/mirror.h"
#include "http/range.h"
#include "registry/reg_blob.h"
#include "registry/reg_pull.h"

/* Internal locations of nginx's configuration: the directory of all blobs, for large ones and for small ones. */
#define ACCEL_LARGE "/_berth/blobs/"
#define ACCEL_SMALL "/_berth/small/"
#define AGAIN "?again"                  /* for nginx: it did not find the file, asked once more, and will not ask a third time */
#define SMALL_MAX (16 * 1024)           /* bytes: nginx reads it into one buffer */

/* With an If-Range that is not the Etag, byte for byte, nginx sends the whole blob. */
static uint64_t bytes_asked_for(const struct exchange *x, const struct blob_info *info, const struct digest *d)
{
	const char *range = request_param(&x->rq, "HTTP_RANGE"), *only = request_param(&x->rq, "HTTP_IF_RANGE");
	size_t len = strlen(d->text);

	if (only && (strlen(only) != len + 2 || only[0] != '"' || memcmp(only + 1, d->text, len) != 0 || only[len + 1] != '"'))
		range = NULL;
	return range ? range_bytes(range, info->size) : info->size;
}

static void blob_headers(struct exchange *x, const struct digest *d)
{
	response_header(&x->rs, "Docker-Content-Digest", "%s", d->text);
	response_header(&x->rs, "Etag", "\"%s\"", d->text);
	response_header(&x->rs, "Cache-Control", "%smax-age=31536000, immutable", guard_everybody_may_pull(x) ? "" : "private, ");
}

/* RFC 9110, 13.1.1. The web server cannot check it: it does not know the tag when it reads the header. */
static int check_if_match(struct exchange *x, const struct digest *d, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	if (!request_header(&x->rq, "HTTP_IF_MATCH", &text) || !text.len || etag_matches(text.buf, d))
		return 0;
	err_set(e, ERR_DENIED, "the blob does not meet the precondition If-Match");
	return err_status(e, 412);
}

/* Whether the web server would check a precondition and fail, because it has neither a tag nor a date of the blob. */
static bool sends_itself(const struct exchange *x)
{
	const char *match = request_param(&x->rq, "HTTP_IF_MATCH"), *since = request_param(&x->rq, "HTTP_IF_UNMODIFIED_SINCE");

	return (match && *match && strcmp(match, "*") != 0) || (since && *since);
}

/* Where nginx finds the blob. Files of nginx that were rendered by an earlier version have one location. */
static const char *accel_location(const struct exchange *x, uint64_t size)
{
	return size <= SMALL_MAX && request_param(&x->rq, "BERTH_SMALL_BLOBS") ? ACCEL_SMALL : ACCEL_LARGE;
}

/* The answer whose headers are those of the blob: the worker names the file, or sends it. */
static int send_blob(struct exchange *x, const struct blob_info *info, const struct digest *d)
{
	cleanup_str struct str path = STR_INIT;

	x->rs.status = 200;
	response_header(&x->rs, "Content-Type", "application/octet-stream");
	if (x->rq.method == METHOD_HEAD) {
		response_header(&x->rs, "Accept-Ranges", "bytes");
		response_length(&x->rs, info->size);
		return 0;
	}
	x->rs.elsewhere = bytes_asked_for(x, info, d);
	if (x->rs.file >= 0) {
		response_length(&x->rs, info->size);
		return 0;
	}
	reg_blob_location(x->reg, info, &path);
	response_header(&x->rs, "X-Accel-Redirect", "%s%s%s", accel_location(x, info->size), path.buf,
			request_param(&x->rq, "BERTH_MISSING") ? AGAIN : "");
	return 0;
}

/* 1 found, 0 the relay continues, -1 with *e */
static int find(struct exchange *x, const struct digest *d, bool keep, struct blob_info *info, struct err *e)
{
	int here;

	if (reg_blob_find(x->reg, &x->name, d, keep, info, e) == 0)
		return 1;
	here = x->upstream ? mirror_blob_missing(x, d, e) : -1;
	if (here <= 0)
		return here;
	return reg_blob_find(x->reg, &x->name, d, keep, info, e) == 0 ? 1 : -1;
}

int h_blob_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	bool head = x->rq.method == METHOD_HEAD, unchanged;
	struct blob_info info;
	struct digest d;
	int here;

	if (request_digest(&d, x->tail, x->tail_len, e) < 0)
		return -1;
	here = find(x, &d, head, &info, e);
	if (here <= 0 || check_if_match(x, &d, e) < 0)
		return here == 0 ? 0 : -1;
	mirror_hit(x, METRIC_CACHE_HIT_BLOBS);
	unchanged = request_header(&x->rq, "HTTP_IF_NONE_MATCH", &text) && etag_matches(text.buf, &d);
	/* Errors come before the headers of the blob, which say that it may be cached. */
	if (!unchanged && !head && sends_itself(x) && reg_blob_open(x->reg, &info, &x->rs.file, e) < 0)
		return -1;
	blob_headers(x, &d);
	/* HEAD asks whether a push needs to bring it. */
	if (!unchanged && !head)
		reg_pull_note(x->reg, &x->name, NULL, &d, NULL, info.size);
	if (!unchanged)
		return send_blob(x, &info, &d);
	x->rs.status = 304;
	return 0;
}

int h_blob_delete(struct exchange *x, struct err *e)
{
	struct digest d;

	if (request_digest(&d, x->tail, x->tail_len, e) < 0 || reg_blob_delete(x->reg, &x->name, &d, e) < 0)
		return -1;
	x->rs.status = 202;
	response_header(&x->rs, "Docker-Content-Digest", "%s", d.text);
	return 0;
}
