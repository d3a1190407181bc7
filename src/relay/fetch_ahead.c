/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_ahead: a queue of manifests and blobs.
 *
 * Owns the queue. Invariant: no more than AT_ONCE of its items are under way, and no more than WAITING_MAX wait: what does not fit is fetched
 * when it is asked for.
 */
#include "relay/fetch_ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "relay/fetch_blob.h"
#include "relay/fetch_manifest.h"
#include "relay/handover.h"

#define AT_ONCE 4
#define WAITING_MAX 1024

struct item {
	struct item *next, **link;
	struct ahead *of;
	struct upstream *u;
	char *repo, *name, *id;
	struct digest digest;
	bool manifest;
	struct handover *asked;
};

struct ahead {
	struct fetch_env *env;
	struct manifests *manifests;
	struct blobs *blobs;
	struct item *first, **last;     /* those that wait, in their order */
	struct item *under_way;
	size_t waiting, running;
};

static void item_free(struct item *i)
{
	handover_cancel(&i->asked);
	free(i->repo);
	free(i->name);
	free(i->id);
	free(i);
}

static struct fetch_ask ask_of(const struct item *i)
{
	return (struct fetch_ask){ .u = i->u, .repo = i->repo, .name = i->name, .id = i->id };
}

static void push(struct ahead *h, const struct fetch_ask *a, const struct digest *d, bool manifest)
{
	struct item *i;

	if (h->waiting >= WAITING_MAX)
		return;
	i = xcalloc(1, sizeof(*i));
	*i = (struct item){
		.of = h, .u = a->u, .repo = xstrdup(a->repo), .name = xstrdup(a->name), .id = xstrdup(a->id), .digest = *d, .manifest = manifest,
	};
	*h->last = i;
	h->last = &i->next;
	h->waiting++;
}

/* --- what a manifest names */

static bool digest_of_member(struct json_view v, struct digest *d)
{
	struct json_view text = json_view_get(v, "digest");
	cleanup_str struct str s = STR_INIT;

	if (text.kind != JSON_STRING)
		return false;
	json_view_text(text, &s);
	return digest_parse(d, s.buf, s.len) == 0;
}

/* "arm64" and "arm64/v8" are the same, and so on: as containerd has it. */
static const char *usual_variant(const char *arch)
{
	return strcmp(arch, "arm64") == 0 ? "v8" : strcmp(arch, "arm") == 0 ? "v7" : strcmp(arch, "amd64") == 0 ? "v1" : "";
}

static bool member_is(struct json_view platform, const char *key, const char *want, const char *usual)
{
	struct json_view v = json_view_get(platform, key);

	return v.kind == JSON_ABSENT || json_view_is(v, "") ? strcmp(want, usual) == 0 : json_view_is(v, want);
}

/* want: "OS/ARCH" or "OS/ARCH/VARIANT" */
static bool matches(struct json_view platform, const char *want)
{
	cleanup_str struct str os = STR_INIT, arch = STR_INIT;
	const char *slash = strchr(want, '/'), *variant = slash ? strchr(slash + 1, '/') : NULL;

	if (!slash)
		return false;
	str_add(&os, want, (size_t)(slash - want));
	str_add(&arch, slash + 1, variant ? (size_t)(variant - slash - 1) : strlen(slash + 1));
	return json_view_is(json_view_get(platform, "os"), os.buf) && json_view_is(json_view_get(platform, "architecture"), arch.buf) &&
	       (!variant || member_is(platform, "variant", variant + 1, usual_variant(arch.buf)));
}

static bool wanted(const struct names *platforms, struct json_view entry)
{
	struct json_view platform = json_view_get(entry, "platform");

	for (size_t i = 0; i < platforms->count; i++)
		if (matches(platform, platforms->v[i]))
			return true;
	return false;
}

/* A layer that is to be had elsewhere is none of the registry's. */
static bool distributed(struct json_view layer)
{
	struct json_view type = json_view_get(layer, "mediaType");
	cleanup_str struct str s = STR_INIT;

	if (type.kind != JSON_STRING)
		return true;
	json_view_text(type, &s);
	return !mediatype_nondistributable(s.buf, s.len);
}

static struct json_view read_manifest(const struct str *bytes)
{
	struct json_fault f;

	return json_check(bytes->buf, bytes->len, &f) == 0 ? json_view_of(bytes->buf, bytes->len) : (struct json_view){ .kind = JSON_ABSENT };
}

static void push_images(struct ahead *h, const struct fetch_ask *a, struct json_view index)
{
	struct json_walk w = json_walk(json_view_get(index, "manifests"));
	struct json_view entry;
	struct digest d;

	while (json_walk_next(&w, NULL, &entry))
		if (wanted(&upstream_config(a->u)->platforms, entry) && digest_of_member(entry, &d))
			push(h, a, &d, true);
}

static void push_blobs(struct ahead *h, const struct fetch_ask *a, struct json_view manifest)
{
	struct json_walk w = json_walk(json_view_get(manifest, "layers"));
	struct json_view layer;
	struct digest d;

	if (digest_of_member(json_view_get(manifest, "config"), &d))
		push(h, a, &d, false);
	while (json_walk_next(&w, NULL, &layer))
		if (distributed(layer) && digest_of_member(layer, &d))
			push(h, a, &d, false);
}

/* --- the queue */

static void start(struct ahead *h);

static void finish(struct item *i)
{
	struct ahead *h = i->of;

	*i->link = i->next;
	if (i->next)
		i->next->link = i->link;
	h->running--;
	item_free(i);
	start(h);
}

static void got_manifest(void *arg, const struct str *bytes)
{
	struct item *i = arg;
	struct fetch_ask a = ask_of(i);

	if (bytes)
		push_blobs(i->of, &a, read_manifest(bytes));
	finish(i);
}

static void got_blob(void *arg)
{
	finish(arg);
}

/* What the worker said. */
static void known(void *arg, int status, const char *why)
{
	struct item *i = arg;
	struct fetch_ask a = ask_of(i);

	(void)why;
	i->asked = NULL;
	if (status != 404) {
		finish(i);
		return;
	}
	i->of->env->counts->ahead++;
	if (i->manifest)
		manifests_fetch(i->of->manifests, &a, i->digest.text, got_manifest, i);
	else
		blobs_fetch(i->of->blobs, &a, &i->digest, got_blob, i);
}

static void start(struct ahead *h)
{
	struct item *i;

	while (h->running < AT_ONCE && (i = h->first)) {
		const struct handover_of o = { .repo = i->repo, .id = i->id, .done = known, .arg = i };

		h->first = i->next;
		if (!h->first)
			h->last = &h->first;
		h->waiting--;
		h->running++;
		i->next = h->under_way;
		i->link = &h->under_way;
		if (i->next)
			i->next->link = &i->next;
		h->under_way = i;
		i->asked = handover_has(h->env->workers, &o, i->manifest ? "manifest" : "blob", i->digest.text);
	}
}

/* Of an image there is nothing to be done here: a client has asked for it, or it comes from this queue. */
static void on_stored(void *arg, const struct fetch_ask *a, const struct str *bytes)
{
	struct ahead *h = arg;

	push_images(h, a, read_manifest(bytes));
	start(h);
}

struct ahead *ahead_open(struct fetch_env *env, struct manifests *m, struct blobs *b)
{
	struct ahead *h = xcalloc(1, sizeof(*h));

	*h = (struct ahead){ .env = env, .manifests = m, .blobs = b };
	h->last = &h->first;
	manifests_tell(m, on_stored, h);
	return h;
}

void ahead_close(struct ahead **hp)
{
	struct ahead *h = STEAL(*hp);
	struct item *i;

	if (!h)
		return;
	manifests_tell(h->manifests, NULL, NULL);
	while ((i = h->first)) {
		h->first = i->next;
		item_free(i);
	}
	while ((i = h->under_way)) {
		h->under_way = i->next;
		item_free(i);
	}
	free(h);
}

size_t ahead_running(const struct ahead *h)
{
	return h->waiting + h->running;
}
