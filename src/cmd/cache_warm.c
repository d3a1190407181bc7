/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth cache warm: has images fetched that nobody has pulled yet.
 *
 * Owns what it counts. Invariant: what is here is never asked for, but for a tag that is no longer fresh; so the same command goes on where an
 * earlier one ended. What is here gets a new modification time, as if it was pulled. berth-relay fetches, and a worker stores.
 */
#include "cmd/cache_refs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/digestset.h"
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "base/platform.h"
#include "base/relay_uri.h"
#include "cmd/relay_client.h"
#include "conf/upstream.h"
#include "os/process.h"
#include "registry/manifest_scan.h"
#include "registry/reg_blob.h"
#include "registry/reg_mirror.h"
#include "registry/reg_stored.h"
#include "store/revision.h"

#define DEPTH_MAX 4                     /* indexes in indexes */
#define MANIFESTS_MAX 1024              /* that the indexes of an image name */

struct counts {
	uint64_t manifests, blobs, bytes;       /* fetched */
	uint64_t here;                          /* manifests and blobs that were here */
};

struct warm {
	struct registry *r;
	const struct cache_call *call;
	struct relay_client relay;
	bool shows;                     /* a counter, on the terminal */
	struct counts total;
	uint64_t images;

	/* the current image */
	const struct cache_ref *ref;
	const struct config_upstream *u;
	const char *there;              /* the repository's name at the upstream */
	size_t manifests;               /* that its indexes name */
	struct digestset seen;
	bool found[CACHE_PLATFORMS_MAX];        /* the index has an image for it */
	struct counts n;
};

/* --- the counter */

static void wipe(const struct warm *w)
{
	if (w->shows)
		fputs("\r\033[K", stderr);
}

static void progress(void *arg, uint64_t bytes)
{
	const struct warm *w = arg;
	cleanup_str struct str text = STR_INIT;

	if (!w->shows)
		return;
	cache_ref_text(w->ref, &text);
	wipe(w);
	fprintf(stderr, "%.60s: %.1f MB", text.buf, (double)(w->n.bytes + bytes) / 1e6);
}

/* --- manifests */

/* 1, 0 it is not here, -1 with *e */
static int find(struct warm *w, const struct ref *ref, struct stored_manifest *m, struct err *e)
{
	if (reg_stored_find(w->r, &w->ref->n, ref, m, e) == 0)
		return 1;
	if (e->code != ERR_MANIFEST_UNKNOWN)
		return -1;
	err_release(e);
	return 0;
}

/* As a pull finds it: 1, 0 the relay has to be asked, -1 with *e. have: the digest that the tag has here, or "". */
static int find_fresh(struct warm *w, const struct ref *ref, struct stored_manifest *m, struct digest *have, struct err *e)
{
	bool has;
	int fresh, found;

	if (ref->kind == REF_DIGEST) {
		found = find(w, ref, m, e);
		if (found == 0 && (found = reg_mirror_link_manifest(w->r, &w->ref->n, &ref->digest, e)) == 1)
			found = find(w, ref, m, e);
		return found;
	}
	fresh = reg_mirror_tag(w->r, w->u, &w->ref->n, &ref->tag, have, &has, e);
	if (!has)
		have->text[0] = '\0';
	return fresh == 1 ? find(w, ref, m, e) : fresh;
}

/* Have it fetched, unless it is here. */
static int get(struct warm *w, const struct ref *ref, struct stored_manifest *m, struct err *e)
{
	cleanup_str struct str uri = STR_INIT;
	struct digest have = { 0 };
	int found = find_fresh(w, ref, m, &have, e);

	if (found == 1) {
		revision_touch(w->r->st, &w->ref->n, &m->digest);
		w->n.here++;
	}
	if (found != 0)
		return found < 0 ? -1 : 0;
	relay_uri(&uri, "manifest", w->u->name, w->ref->n.s, w->there);
	relay_uri_add(&uri, "ref", ref_text(ref));
	relay_uri_add(&uri, "have", have.text);
	if (relay_client_manifest(&w->relay, uri.buf, e) < 0)
		return -1;
	found = find(w, ref, m, e);
	if (found <= 0)
		return found < 0 ? -1 : err_set(e, ERR_UNAVAILABLE, "%s was stored, and is gone", ref_text(ref));
	if (have.text[0] && digest_eq(&have, &m->digest)) {
		w->n.here++;
	} else {
		w->n.manifests++;
		w->n.bytes += m->size;
	}
	return 0;
}

/* --- blobs */

static int too_large(const struct warm *w, const struct descriptor *d, struct err *e)
{
	uint64_t max = w->r->cfg->cache.max / CACHE_KEEP_PART;

	if (!max || d->size == DESCRIPTOR_NO_SIZE || d->size <= max)
		return 0;
	return err_set(e, ERR_SIZE_INVALID, "%s has %" PRIu64 " bytes, and is not kept: that is more than a tenth of cache.max_size",
		       d->digest.text, d->size);
}

/* Whether a blob is here: 1, 0 it has to be fetched, -1 with *e. */
static int is_here(struct warm *w, const struct digest *d, struct err *e)
{
	struct blob_info info;
	bool named;

	if (reg_blob_find(w->r, &w->ref->n, d, true, &info, e) == 0)
		return 1;
	if (e->code != ERR_BLOB_UNKNOWN)
		return -1;
	err_release(e);
	return reg_mirror_link_blob(w->r, &w->ref->n, d, &named, e);
}

/* Those that have to be fetched, each once. */
static int choose(struct warm *w, const struct descriptor *v, size_t count, struct names *uris, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		cleanup_str struct str uri = STR_INIT;
		int here;

		if (v[i].optional || digestset_has(&w->seen, &v[i].digest))
			continue;
		digestset_add(&w->seen, &v[i].digest);
		here = is_here(w, &v[i].digest, e);
		w->n.here += here == 1;
		if (here < 0 || (here == 0 && too_large(w, &v[i], e) < 0))
			return -1;
		if (here)
			continue;
		relay_uri(&uri, "warm", w->u->name, w->ref->n.s, w->there);
		relay_uri_add(&uri, "digest", v[i].digest.text);
		names_add(uris, uri.buf, uri.len);
	}
	return 0;
}

/* Fetch them; if one fails the others are here nevertheless. */
static int fetch(struct warm *w, const struct names *uris, struct err *e)
{
	cleanup_free struct relay_blob *v = xcalloc(uris->count + 1, sizeof(*v));
	int rc = 0;

	for (size_t i = 0; i < uris->count; i++)
		v[i].uri = uris->v[i];
	relay_client_blobs(&w->relay, v, uris->count, progress, w);
	for (size_t i = 0; i < uris->count; i++) {
		w->n.blobs += v[i].stored;
		w->n.bytes += v[i].size;
		if (v[i].stored)
			continue;
		if (rc == 0) {
			*e = v[i].e;
			v[i].e = (struct err)ERR_INIT;
			rc = -1;
		}
		err_release(&v[i].e);
	}
	return rc;
}

static int get_blobs(struct warm *w, const struct descriptor *v, size_t count, struct err *e)
{
	cleanup_names struct names uris = NAMES_INIT;

	return choose(w, v, count, &uris, e) < 0 ? -1 : fetch(w, &uris, e);
}

/* --- what a manifest names */

static int warm_manifest(struct warm *w, const struct ref *ref, unsigned depth, struct err *e);

/* Whether an entry of an index is of a platform that is wanted. */
static bool is_wanted(struct warm *w, struct json_view entry)
{
	bool wanted = !w->call->nplatforms;

	for (size_t i = 0; i < w->call->nplatforms; i++)
		if (platform_is(json_view_get(entry, "platform"), w->call->platforms[i]))
			w->found[i] = wanted = true;
	return wanted;
}

static bool is_manifest(struct json_view entry)
{
	struct json_view type = json_view_get(entry, "mediaType");
	cleanup_str struct str text = STR_INIT;

	if (type.kind == JSON_STRING)
		json_view_text(type, &text);
	return mediatype_parse(text.buf, text.len) != MEDIATYPE_OTHER;
}

static int warm_entry(struct warm *w, struct json_view entry, unsigned depth, struct err *e)
{
	struct descriptor d = { .size = DESCRIPTOR_NO_SIZE };
	struct json_view digest = json_view_get(entry, "digest");
	cleanup_str struct str text = STR_INIT;
	struct ref ref = { .kind = REF_DIGEST };

	if (digest.kind == JSON_STRING)
		json_view_text(digest, &text);
	if (digest_parse(&d.digest, text.buf, text.len) < 0 || digestset_has(&w->seen, &d.digest))
		return 0;
	if (!is_manifest(entry))
		return get_blobs(w, &d, 1, e);
	digestset_add(&w->seen, &d.digest);
	ref.digest = d.digest;
	return warm_manifest(w, &ref, depth + 1, e);
}

/* An upstream has no end of manifests for who asks for each. */
static int count_wanted(struct warm *w, struct json_view entries, struct err *e)
{
	struct json_walk walk = json_walk(entries);
	struct json_view entry;

	while (json_walk_next(&walk, NULL, &entry))
		w->manifests += is_wanted(w, entry) && is_manifest(entry);
	return w->manifests <= MANIFESTS_MAX ? 0 : err_set(e, ERR_MANIFEST_INVALID, "its indexes name more than %d manifests", MANIFESTS_MAX);
}

static int warm_index(struct warm *w, struct json_view entries, unsigned depth, struct err *e)
{
	struct json_walk walk = json_walk(entries);
	struct json_view entry;

	if (depth == DEPTH_MAX)
		return err_set(e, ERR_MANIFEST_INVALID, "more than %d indexes are in each other", DEPTH_MAX);
	if (count_wanted(w, entries, e) < 0)
		return -1;
	while (json_walk_next(&walk, NULL, &entry))
		if (is_wanted(w, entry) && warm_entry(w, entry, depth, e) < 0)
			return -1;
	for (size_t i = 0; !depth && i < w->call->nplatforms; i++)
		if (!w->found[i])
			return err_set(e, ERR_MANIFEST_UNKNOWN, "it has no image for %s", w->call->platforms[i]);
	return 0;
}

static int warm_image(struct warm *w, const struct str *bytes, struct err *e)
{
	cleanup_manifest struct manifest m = MANIFEST_INIT;

	manifest_scan_descriptors(&m, bytes->buf, bytes->len);
	return get_blobs(w, m.refs, m.nrefs, e);
}

static int warm_manifest(struct warm *w, const struct ref *ref, unsigned depth, struct err *e)
{
	cleanup_stored_manifest struct stored_manifest m = STORED_MANIFEST_INIT;
	cleanup_str struct str bytes = STR_INIT, type = STR_INIT;
	struct json_fault fault;
	struct json_view entries;

	if (get(w, ref, &m, e) < 0 || reg_stored_read(w->r, &m, &bytes, &type, e) < 0)
		return -1;
	if (json_check(bytes.buf, bytes.len, &fault) < 0)
		return err_set(e, ERR_MANIFEST_INVALID, "%s is no JSON", m.digest.text);
	entries = json_view_get(json_view_of(bytes.buf, bytes.len), "manifests");
	return entries.kind == JSON_LIST ? warm_index(w, entries, depth, e) : warm_image(w, &bytes, e);
}

/* --- images */

/* The end of a line. */
static void tell_counts(const struct warm *w, const struct counts *n)
{
	printf(w->call->json ? ",\"manifests\":%" PRIu64 ",\"blobs\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"here\":%" PRIu64 "}\n" :
			       "fetched %" PRIu64 " manifests and %" PRIu64 " blobs, %" PRIu64 " bytes; %" PRIu64 " were here\n",
	       n->manifests, n->blobs, n->bytes, n->here);
}

static void tell(const struct warm *w)
{
	cleanup_str struct str text = STR_INIT;

	cache_ref_text(w->ref, &text);
	if (w->call->json)
		printf("{\"kind\":\"image\",\"image\":\"%s\"", text.buf);
	else
		printf("%s: ", text.buf);
	tell_counts(w, &w->n);
}

static void add(struct counts *to, const struct counts *n)
{
	to->manifests += n->manifests;
	to->blobs += n->blobs;
	to->bytes += n->bytes;
	to->here += n->here;
}

static int warm_one(struct registry *r, const struct cache_ref *ref, void *arg, struct err *e)
{
	struct warm *w = arg;
	int rc;

	w->ref = ref;
	w->u = upstream_of(r->cfg, &ref->n, &w->there);
	w->n = (struct counts){ 0 };
	w->manifests = 0;
	memset(w->found, 0, sizeof(w->found));
	rc = warm_manifest(w, &ref->ref, 0, e);
	digestset_release(&w->seen);
	wipe(w);
	add(&w->total, &w->n);
	if (rc < 0)
		return -1;
	w->images++;
	tell(w);
	return 0;
}

static void sum_up(const struct warm *w)
{
	printf(w->call->json ? "{\"kind\":\"summary\",\"images\":%" PRIu64 : "total: %" PRIu64 " images; ", w->images);
	tell_counts(w, &w->total);
}

int cache_warm(struct registry *r, void *arg, struct err *e)
{
	const struct cache_call *c = arg;
	struct warm w = { .r = r, .call = c, .shows = !c->json && isatty(STDERR_FILENO) };
	int rc;

	(void)e;
	os_signal(SIGPIPE, SIG_IGN);    /* of a relay that ends just then: it is asked again */
	relay_client_init(&w.relay, c->relay);
	rc = cache_each_ref(r, c, warm_one, &w);
	if (rc != CMD_USAGE)
		sum_up(&w);
	return rc;
}
