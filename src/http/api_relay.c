/* SPDX-License-Identifier: Apache-2.0 */
/* api_relay: /berth/v1/relay/, what berth-relay asks and hands over on its socket (doc/WEBHOOKS.md, "The relay"; doc/CACHE.md, "How it works"). */
#include <string.h>

#include "http/body.h"
#include "http/handlers.h"
#include "registry/reg_event.h"
#include "registry/reg_mirror.h"
#include "store/journal.h"

/* What became of a change whose line has no mark. 503: nobody can tell yet. */
int api_relay_settle(struct exchange *x, struct err *e)
{
	cleanup_str struct str id = STR_INIT;
	struct position at;
	char mark;
	int rc;

	if (!journal_kept(x->reg->st))
		return err_set(e, ERR_NAME_UNKNOWN, "there is no journal here: journal.enabled is not set");
	if (request_query(&x->rq, "id", &id) != 1 || position_parse(&at, id.buf, id.len) < 0)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "id is no id of an event: %.64s", id.buf);
	rc = reg_event_settle(x->reg, &at, false, &mark, e);
	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(e, ERR_UNAVAILABLE, "the repository is busy, or the line has been cut off");
	response_json(&x->rs, 200);
	str_addf(&x->rs.body, "{\"mark\":\"%c\"}\n", mark);
	return 0;
}

/* The repository of the query, which has to be a mirror. */
static int mirrored(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	const char *there;

	if (request_query(&x->rq, "repo", &text) != 1 || name_parse(&x->name, text.buf, text.len) < 0)
		return err_set(e, ERR_NAME_INVALID, "repo is no name of a repository: %.64s", text.buf ? text.buf : "");
	x->upstream = upstream_of(x->reg->cfg, &x->name, &there);
	if (!x->upstream || !upstream_allows(x->upstream, there))
		return err_set(e, ERR_DENIED, "%s mirrors no upstream", x->name.s);
	return 0;
}

static int query_digest(struct exchange *x, struct digest *d, struct err *e)
{
	cleanup_str struct str text = STR_INIT;

	request_query(&x->rq, "digest", &text);
	return request_digest(d, text.buf ? text.buf : "", text.len, e);
}

int api_relay_manifest(struct exchange *x, struct err *e)
{
	cleanup_str struct str bytes = STR_INIT, text = STR_INIT;
	struct digest d;
	struct ref ref;

	if (mirrored(x, e) < 0)
		return -1;
	if (request_query(&x->rq, "ref", &text) != 1 || ref_parse(&ref, text.buf, text.len, NULL) < 0)
		return err_set(e, ERR_MANIFEST_UNKNOWN, "ref is neither tag nor digest: %.64s", text.buf ? text.buf : "");
	if (body_read(x, (size_t)x->reg->cfg->max_manifest, &bytes, e) < 0 ||
	    reg_mirror_put(x->reg, &x->name, &ref, request_param(&x->rq, "CONTENT_TYPE"), &bytes, &d, e) < 0)
		return -1;
	x->rs.status = 201;
	response_header(&x->rs, "Docker-Content-Digest", "%s", d.text);
	return 0;
}

int api_relay_blob(struct exchange *x, struct err *e)
{
	cleanup_spool struct spool body = SPOOL_INIT;
	struct digest d;

	if (mirrored(x, e) < 0 || query_digest(x, &d, e) < 0 || body_spool(x, &body, e) < 0 || reg_mirror_blob(x->reg, &x->name, &d, &body, e) < 0)
		return -1;
	x->rs.status = 201;
	return 0;
}

/* 404: the repository lacks this manifest, so the relay has to fetch it. */
int api_relay_checked(struct exchange *x, struct err *e)
{
	cleanup_str struct str text = STR_INIT;
	struct digest d;
	struct tag t;

	if (mirrored(x, e) < 0 || query_digest(x, &d, e) < 0)
		return -1;
	if (request_query(&x->rq, "tag", &text) != 1 || tag_parse(&t, text.buf, text.len) < 0)
		return err_set(e, ERR_TAG_INVALID, "%.128s", text.buf ? text.buf : "");
	if (reg_mirror_confirm(x->reg, &x->name, &t, &d, e) < 0)
		return -1;
	x->rs.status = 204;
	return 0;
}

/* 204: the repository has this content, or has it now, because the store did; 404: it has to be fetched. */
int api_relay_has(struct exchange *x, struct err *e)
{
	cleanup_str struct str kind = STR_INIT;
	struct digest d;
	int found;

	if (mirrored(x, e) < 0 || query_digest(x, &d, e) < 0)
		return -1;
	request_query(&x->rq, "kind", &kind);
	found = reg_mirror_has(x->reg, &x->name, &d, kind.buf && strcmp(kind.buf, "manifest") == 0, e);
	if (found < 0)
		return -1;
	x->rs.status = found ? 204 : 404;
	return 0;
}
