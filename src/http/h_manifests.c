/* SPDX-License-Identifier: Apache-2.0 */
/* h_manifests: /v2/<name>/manifests/<tag or digest>. */
#include <string.h>

#include "base/etag.h"
#include "conf/rules.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/location.h"
#include "http/mirror.h"
#include "registry/reg_delete.h"
#include "registry/reg_manifest.h"
#include "registry/reg_pull.h"
#include "registry/reg_quota.h"
#include "registry/reg_rules.h"
#include "registry/reg_stored.h"

/* An invalid reference with a ':' is an invalid digest, another an invalid tag (doc/API.md, "Manifests"). */
static int reference(struct exchange *x, struct ref *ref, struct err *e)
{
	enum ref_kind meant;

	if (ref_parse(ref, x->tail, x->tail_len, &meant) == 0)
		return 0;
	if (meant == REF_DIGEST)
		return err_set(e, ERR_DIGEST_INVALID, "%.*s", (int)x->tail_len, x->tail);
	if (x->rq.method == METHOD_PUT)
		return err_set(e, ERR_TAG_INVALID, "%.*s", (int)x->tail_len, x->tail);
	return err_set(e, ERR_MANIFEST_UNKNOWN, "%.*s", (int)x->tail_len, x->tail);
}

static const struct tag *tag_of(const struct ref *ref)
{
	return ref->kind == REF_TAG ? &ref->tag : NULL;
}

/* 1 found, 0 the relay continues, -1 with *e */
static int find(struct exchange *x, const struct ref *ref, struct stored_manifest *m, struct err *e)
{
	int here = x->upstream ? mirror_manifest(x, ref, e) : 1;

	if (here <= 0)
		return here;
	if (reg_stored_find(x->reg, &x->name, ref, m, e) == 0)
		return 1;
	here = x->upstream ? mirror_manifest_missing(x, ref, e) : -1;
	if (here <= 0)
		return here;
	return reg_stored_find(x->reg, &x->name, ref, m, e) == 0 ? 1 : -1;
}

int h_manifest_get(struct exchange *x, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str type = STR_INIT, etags = STR_INIT;
	struct ref ref;
	int here;

	if (reference(x, &ref, e) < 0)
		return -1;
	here = find(x, &ref, &m, e);
	if (here <= 0)
		return here;
	mirror_hit(x, METRIC_CACHE_HIT_MANIFESTS);
	response_header(&x->rs, "Docker-Content-Digest", "%s", m.digest.text);
	response_header(&x->rs, "Etag", "\"%s\"", m.digest.text);
	if (request_header(&x->rq, "HTTP_IF_NONE_MATCH", &etags) && etag_matches(etags.buf, &m.digest)) {
		x->rs.status = 304;
		reg_pull_seen(x->reg, &x->name, tag_of(&ref), &m.digest);
		return 0;
	}
	if (reg_stored_read(x->reg, &m, &x->rs.body, &type, e) < 0)
		return -1;
	x->rs.status = 200;
	response_header(&x->rs, "Content-Type", "%s", type.buf);
	reg_pull_seen(x->reg, &x->name, tag_of(&ref), &m.digest);
	reg_pull_note(x->reg, &x->name, tag_of(&ref), &m.digest, type.buf, m.size);
	return 0;
}

struct tag_list {
	struct tag tags[MANIFEST_TAGS_MAX];
	size_t count;
	struct err *e;
};

static int add_tag(void *arg, const struct str *value)
{
	struct tag_list *l = arg;
	struct tag t;
	size_t i;

	if (tag_parse(&t, value->buf, value->len) < 0)
		return err_set(l->e, ERR_TAG_INVALID, "%.128s", value->buf);
	for (i = 0; i < l->count; i++)
		if (strcmp(l->tags[i].s, t.s) == 0)
			return 0;
	if (l->count == MANIFEST_TAGS_MAX) {
		err_set(l->e, ERR_TAG_INVALID, "at most %d tags at once", MANIFEST_TAGS_MAX);
		return err_status(l->e, 414);
	}
	l->tags[l->count++] = t;
	return 0;
}

/* ?tag=a&tag=b beside a digest (distribution-spec 1.2, "Pushing Manifests"): all are validated before the first takes effect. */
static int query_tags(struct exchange *x, const struct ref *ref, struct tag_list *l, struct err *e)
{
	*l = (struct tag_list){ .e = e };
	if (ref->kind == REF_TAG)
		return 0;
	e->code = ERR_UNKNOWN;
	if (request_query_each(&x->rq, "tag", add_tag, l) == 0)
		return 0;
	return e->code == ERR_UNKNOWN ? err_set(e, ERR_TAG_INVALID, "tag") : -1;
}

int h_manifest_put_check(struct exchange *x, struct err *e)
{
	struct tag_list l;
	struct ref ref;

	if (reference(x, &ref, e) < 0 || query_tags(x, &ref, &l, e) < 0)
		return -1;
	if (x->rq.length_known && x->rq.length > rules_max_manifest(x->reg->cfg, &x->name))
		return reg_rules_manifest_too_large(x->reg, &x->name, e);
	/* By a tag it may be a manifest that is there already. */
	return x->rq.length_known && ref.kind == REF_DIGEST ? reg_quota_fits(x->reg, &x->name, &ref.digest, x->rq.length, e) : 0;
}

/* The header's text, in buf; NULL where the client sent none. */
static const char *header_or_null(struct exchange *x, const char *name, struct str *buf)
{
	return request_header(&x->rq, name, buf) ? buf->buf : NULL;
}

int h_manifest_put(struct exchange *x, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT, match = STR_INIT, none_match = STR_INIT;
	size_t max = (size_t)rules_max_manifest(x->reg->cfg, &x->name);
	struct manifest_push p = { .bytes = &bytes, .content_type = request_param(&x->rq, "CONTENT_TYPE") };
	struct tag_list l;
	size_t i;

	if (reference(x, &p.ref, e) < 0 || query_tags(x, &p.ref, &l, e) < 0)
		return -1;
	if (body_read(x, max, &bytes, e) < 0)
		return e->status == 413 ? reg_rules_manifest_too_large(x->reg, &x->name, e) : -1;
	p.pre.if_match = header_or_null(x, "HTTP_IF_MATCH", &match);
	p.pre.if_none_match = header_or_null(x, "HTTP_IF_NONE_MATCH", &none_match);
	p.tags = l.tags;
	p.ntags = l.count;
	if (reg_manifest_put(x->reg, &x->name, &p, e) < 0)
		return -1;
	x->rs.status = 201;
	location_set(x, "/v2/%s/manifests/%s", x->name.s, p.digest.text);
	response_header(&x->rs, "Docker-Content-Digest", "%s", p.digest.text);
	if (p.has_subject)
		response_header(&x->rs, "OCI-Subject", "%s", p.subject.text);
	for (i = 0; i < l.count; i++)
		response_header_more(&x->rs, "OCI-Tag", l.tags[i].s);
	return 0;
}

int h_manifest_delete(struct exchange *x, struct err *e)
{
	cleanup_str struct str match = STR_INIT, none_match = STR_INIT;
	struct precondition pre;
	struct ref ref;

	if (reference(x, &ref, e) < 0)
		return -1;
	pre.if_match = header_or_null(x, "HTTP_IF_MATCH", &match);
	pre.if_none_match = header_or_null(x, "HTTP_IF_NONE_MATCH", &none_match);
	if (reg_delete(x->reg, &x->name, &ref, &pre, e) < 0)
		return -1;
	x->rs.status = 202;
	return 0;
}
