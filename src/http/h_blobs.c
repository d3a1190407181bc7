/* SPDX-License-Identifier: Apache-2.0 */
/* h_blobs: /v2/<name>/blobs/<digest>. The worker names the file; nginx sends it, or ranges of it. */
#include "base/etag.h"
#include "http/guard.h"
#include "http/handlers.h"
#include "http/range.h"
#include "registry/reg_blob.h"

/* An internal location of nginx's configuration: the directory of all blobs. */
#define ACCEL_PREFIX "/_berth/blobs/"

/* With If-Range nginx sends the whole blob: it has no validator to compare. */
static uint64_t bytes_asked_for(const struct exchange *x, uint64_t size)
{
	const char *range = request_param(&x->rq, "HTTP_RANGE");

	return range && !request_param(&x->rq, "HTTP_IF_RANGE") ? range_bytes(range, size) : size;
}

static void blob_headers(struct exchange *x, const struct digest *d)
{
	response_header(&x->rs, "Docker-Content-Digest", "%s", d->text);
	response_header(&x->rs, "Etag", "\"%s\"", d->text);
	response_header(&x->rs, "Cache-Control", "%smax-age=31536000, immutable", guard_everybody_may_pull(x) ? "" : "private, ");
}

int h_blob_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	bool head = x->rq.method == METHOD_HEAD;
	struct blob_info info;
	struct digest d;

	if (request_digest(&d, x->tail, x->tail_len, e) < 0 ||
	    reg_blob_find(x->reg, &x->name, &d, head, &info, e) < 0)
		return -1;
	blob_headers(x, &d);
	if (request_header(&x->rq, "HTTP_IF_NONE_MATCH", &text) && etag_matches(text.buf, &d)) {
		x->rs.status = 304;
		return 0;
	}
	x->rs.status = 200;
	response_header(&x->rs, "Content-Type", "application/octet-stream");
	if (head) {
		response_header(&x->rs, "Accept-Ranges", "bytes");
		response_length(&x->rs, info.size);
		return 0;
	}
	x->rs.elsewhere = bytes_asked_for(x, info.size);
	reg_blob_location(&info.content, &text);
	response_header(&x->rs, "X-Accel-Redirect", ACCEL_PREFIX "%s", text.buf);
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
