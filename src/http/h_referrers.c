/* SPDX-License-Identifier: Apache-2.0 */
/* h_referrers: /v2/<name>/referrers/<digest>, the manifests that name this digest as their subject. */
#include <string.h>

#include "base/mediatype.h"
#include "http/handlers.h"
#include "http/mirror.h"
#include "registry/reg_referrers.h"

static void link_to_next(struct exchange *x, const struct referrers_query *q, const struct str *next)
{
	cleanup_str struct str query = STR_INIT;

	if (q->artifact_type) {
		str_puts(&query, "artifactType=");
		str_add_urlenc(&query, q->artifact_type, strlen(q->artifact_type));
		str_addc(&query, '&');
	}
	str_puts(&query, "last=");
	str_add_urlenc(&query, next->buf, next->len);
	response_header(&x->rs, "Link", "<%s/v2/%s/referrers/%s?%s>; rel=\"next\"", x->reg->cfg->prefix, x->name.s, q->subject.text, query.buf);
}

/* Never 404: a missing subject, also in a missing repository, has an empty list (doc/API.md, "Referrers"). */
int h_referrers_get(struct exchange *x, struct err *e)
{
	cleanup_str struct str type = STR_INIT, last = STR_INIT, list = STR_INIT, next = STR_INIT;
	struct referrers_query q = { .max_bytes = REFERRERS_PAGE_MAX };
	int here;

	if (request_digest(&q.subject, x->tail, x->tail_len, e) < 0)
		return -1;
	here = x->upstream ? mirror_list(x, "referrers", e) : 1;
	if (here <= 0)
		return here;
	if (request_query(&x->rq, "artifactType", &type) == 1 && type.len > 0)
		q.artifact_type = type.buf;
	if (request_query(&x->rq, "last", &last) == 1 && last.len > 0)
		q.last = last.buf;
	if (reg_referrers_page(x->reg, &x->name, &q, &list, &next, e) < 0 || mirror_list_here(x, list.len > 0 || q.last, e) < 0)
		return -1;
	x->rs.status = 200;
	response_header(&x->rs, "Content-Type", "%s", MT_OCI_INDEX);
	if (q.artifact_type)
		response_header(&x->rs, "OCI-Filters-Applied", "artifactType");
	if (next.len)
		link_to_next(x, &q, &next);
	str_puts(&x->rs.body, "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[");
	str_add(&x->rs.body, list.buf, list.len);
	str_puts(&x->rs.body, "]}\n");
	return 0;
}
