/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mirror: name spaces, and the ways of a request between worker and relay.
 *
 * Owns the URIs of the internal redirects to the relay. Knows nothing of what is on disk.
 */
#include "http/mirror.h"

#include <inttypes.h>
#include <string.h>

#include "base/relay_uri.h"
#include "http/location.h"
#include "jose/scope.h"
#include "registry/reg_mirror.h"

#define RELAY "/_berth/relay/"
#define QUERY_MAX 2048          /* bytes of a list's: it becomes part of a header of the relay's request */

static const struct config_upstream *space_of(const struct exchange *x, const char *ns)
{
	cleanup_str struct str host = STR_INIT;
	const struct config_upstream *u;

	return upstream_space(x->reg->cfg, location_host(x, &host) ? host.buf : NULL, ns, &u) == 0 ? u : NULL;
}

const struct config_upstream *mirror_of_host(const struct exchange *x)
{
	return x->reg->cfg->nupstreams ? space_of(x, NULL) : NULL;
}

void mirror_scopes(const struct exchange *x, struct scopes *want)
{
	cleanup_scopes struct scopes was = *want;
	cleanup_str struct str ns = STR_INIT;
	const struct config_upstream *u;

	*want = (struct scopes)SCOPES_INIT;
	request_query(&x->rq, "ns", &ns);
	u = x->reg->cfg->nupstreams ? space_of(x, ns.len ? ns.buf : NULL) : NULL;
	want->ignored = was.ignored;
	for (size_t i = 0; i < was.count; i++) {
		cleanup_str struct str name = STR_INIT;
		struct scope one = was.v[i];

		if (u && one.type == SCOPE_REPOSITORY) {
			str_addf(&name, "%s/%s", u->name, one.name);
			if (name.len > SCOPE_NAME_MAX)
				continue;
			memcpy(one.name, name.buf, name.len + 1);
		}
		scopes_add(want, &one);
	}
}

int mirror_space(struct exchange *x, struct err *e)
{
	cleanup_str struct str host = STR_INIT;
	const struct config *cfg = x->reg->cfg;
	const struct config_upstream *u;
	bool asked;

	if (!cfg->nupstreams || x->relay || !x->match.name)
		return 0;
	asked = request_query(&x->rq, "ns", &x->space) == 1 && x->space.len;
	if (upstream_space(cfg, location_host(x, &host) ? host.buf : NULL, asked ? x->space.buf : NULL, &u) < 0)
		return err_set(e, ERR_NAME_UNKNOWN, "there is no name space %.100s here", x->space.buf);
	/* It is that of an upstream, or of this registry: so it has no byte that a header cannot have, unless ns= is ignored here. */
	if (asked && !cfg->upstreams[0].whole)
		response_header(&x->rs, "OCI-Namespace", "%s", x->space.buf);
	if (!u)
		return 0;
	if (u == mirror_of_host(x)) {
		x->asked = x->match.name;
		x->asked_len = x->match.name_len;
	}
	str_addf(&x->full, "%s/", u->name);
	str_add(&x->full, x->match.name, x->match.name_len);
	x->match.name = x->full.buf;
	x->match.name_len = x->full.len;
	return 0;
}

int mirror_enter(struct exchange *x, struct err *e)
{
	const char *cached = request_param(&x->rq, "BERTH_CACHED");

	x->upstream = x->relay || !x->name.len ? NULL : upstream_of(x->reg->cfg, &x->name, &x->there);
	if (!x->upstream)
		return 0;
	if (cached && *cached)
		x->cached = strcmp(cached, "fresh") == 0 ? CACHED_FRESH : CACHED_STALE;
	if (x->op->kind == OP_WRITE) {
		err_set(e, ERR_DENIED, "%s is a mirror of %s: nobody can push to it", x->name.s,
			x->upstream->whole ? x->upstream->urls.v[0] : x->upstream->name);
		return err_plain(e);
	}
	if (!upstream_allows(x->upstream, x->there))
		return err_set(e, ERR_NAME_UNKNOWN, "%s is not mirrored here", x->name.s);
	return 0;
}

/* The arguments that all questions have. */
static void begin(const struct exchange *x, const char *what, struct str *uri)
{
	str_puts(uri, RELAY);
	relay_uri(uri, what, x->upstream->name, x->name.s, x->there);
}

/* As it is: nginx repeats it in OCI-Namespace, and a name of a host or an upstream has no byte that needs an escape. */
static void add_space(const struct exchange *x, struct str *uri)
{
	if (x->space.len && !x->upstream->whole)
		str_addf(uri, "&space=%s", x->space.buf);
}

static int redirect(struct exchange *x, const struct str *uri)
{
	x->rs.status = 200;
	response_header(&x->rs, "X-Accel-Redirect", "%s", uri->buf);
	return 0;
}

static int ask_manifest(struct exchange *x, const struct ref *ref, const char *have)
{
	cleanup_str struct str uri = STR_INIT;

	metrics_add(METRIC_CACHE_MISS_MANIFESTS, 1);
	begin(x, "manifest", &uri);
	relay_uri_add(&uri, "ref", ref_text(ref));
	relay_uri_add(&uri, "have", have);
	add_space(x, &uri);
	return redirect(x, &uri);
}

/* One word of the relay's, for the header Warning and the log. */
static void why_of(const struct exchange *x, char out[17])
{
	const char *why = request_param(&x->rq, "BERTH_CACHED_WHY");
	size_t len = why ? strspn(why, "abcdefghijklmnopqrstuvwxyz") : 0;

	if (!len || len > 16 || why[len]) {
		why = "failed";
		len = 6;
	}
	memcpy(out, why, len);
	out[len] = '\0';
}

/* No copy is here. An upstream that refuses access may do so because there is no such repository: Docker Hub does. */
static int no_copy(const struct exchange *x, const struct ref *ref, struct err *e)
{
	char why[17];

	why_of(x, why);
	err_release(e);
	if (x->cached == CACHED_STALE && strcmp(why, "denied") == 0)
		return err_set(e, ERR_MANIFEST_UNKNOWN, "%s", ref_text(ref));
	return err_set(e, ERR_UNAVAILABLE, "%s is not here, and %s could not be asked (%s)", ref_text(ref),
		       x->upstream->whole ? x->upstream->urls.v[0] : x->upstream->name, why);
}

/* A tag that could not be confirmed. */
static int stale(struct exchange *x, const struct ref *ref, struct err *e)
{
	char why[17];
	uint64_t age;
	int may = reg_mirror_stale(x->reg, x->upstream, &x->name, &ref->tag, &age, e);

	if (may <= 0)
		return may < 0 ? -1 : no_copy(x, ref, e);
	why_of(x, why);
	metrics_add(METRIC_CACHE_STALE, 1);
	response_header(&x->rs, "Warning",
			"299 - \"the upstream could not be asked (%s); this tag was last confirmed %" PRIu64 " seconds ago\"", why, age);
	return 1;
}

int mirror_manifest(struct exchange *x, const struct ref *ref, struct err *e)
{
	struct digest have;
	bool has;
	int fresh;

	if (x->cached == CACHED_STALE && ref->kind == REF_TAG)
		return stale(x, ref, e);
	if (x->cached != CACHED_ASK || ref->kind == REF_DIGEST || x->reg->cfg->readonly)
		return 1;
	fresh = reg_mirror_tag(x->reg, x->upstream, &x->name, &ref->tag, &have, &has, e);
	return fresh != 0 ? fresh : ask_manifest(x, ref, has ? have.text : "");
}

int mirror_manifest_missing(struct exchange *x, const struct ref *ref, struct err *e)
{
	int linked;

	if (e->code != ERR_MANIFEST_UNKNOWN)
		return -1;
	if (x->cached != CACHED_ASK || x->reg->cfg->readonly)
		return no_copy(x, ref, e);
	err_release(e);
	linked = ref->kind == REF_DIGEST ? reg_mirror_link_manifest(x->reg, &x->name, &ref->digest, e) : 0;
	return linked != 0 ? linked : ask_manifest(x, ref, "");
}

int mirror_blob_missing(struct exchange *x, const struct digest *d, struct err *e)
{
	cleanup_str struct str uri = STR_INIT;
	bool named;
	int linked;

	if (e->code != ERR_BLOB_UNKNOWN)
		return -1;
	if (x->cached != CACHED_ASK)
		return err_set(e, ERR_UNAVAILABLE, "%s is not here, and its upstream cannot be asked", d->text);
	err_release(e);
	linked = reg_mirror_link_blob(x->reg, &x->name, d, &named, e);
	if (linked != 0)
		return linked;
	metrics_add(METRIC_CACHE_MISS_BLOBS, 1);
	begin(x, "blob", &uri);
	relay_uri_add(&uri, "digest", d->text);
	relay_uri_add(&uri, "keep", named && !x->reg->cfg->readonly ? "1" : "0");
	add_space(x, &uri);
	return redirect(x, &uri);
}

void mirror_hit(const struct exchange *x, enum metric kind)
{
	if (x->upstream && x->cached == CACHED_ASK)
		metrics_add(kind, 1);
}

int mirror_list(struct exchange *x, const char *what, struct err *e)
{
	cleanup_str struct str uri = STR_INIT, path = STR_INIT;

	if (x->cached != CACHED_ASK)
		return 1;
	if (strlen(x->rq.query) > QUERY_MAX)
		return err_set(e, ERR_PAGINATION_NUMBER_INVALID, "the query has more than %d bytes", QUERY_MAX);
	begin(x, what, &uri);
	if (x->tail)
		relay_uri_add(&uri, "digest", x->tail);
	str_addf(&path, "%s%s", x->reg->cfg->prefix, x->rq.path.buf);
	relay_uri_add(&uri, "path", path.buf);
	relay_uri_add(&uri, "query", x->rq.query);
	add_space(x, &uri);
	return redirect(x, &uri);
}

int mirror_list_here(struct exchange *x, bool any, struct err *e)
{
	char why[17];

	if (!x->upstream || x->cached != CACHED_STALE)
		return 0;
	why_of(x, why);
	if (any)
		response_header(&x->rs, "Warning", "299 - \"the upstream could not be asked (%s); this is what is here\"", why);
	if (any || strcmp(why, "denied") == 0)
		return 0;
	err_release(e);
	return err_set(e, ERR_UNAVAILABLE, "nothing of this is here, and the upstream could not be asked (%s)", why);
}
