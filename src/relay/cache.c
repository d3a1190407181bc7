/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache: takes nginx's requests apart.
 *
 * Owns the upstreams and the fetches. Invariant: names, digests and tags are valid where they leave this module. Knows nothing of
 * rights: a worker has decided before nginx asks.
 */
#include "relay/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/mem.h"
#include "base/prom.h"
#include "base/ref.h"
#include "os/file.h"
#include "relay/answer.h"
#include "relay/cache_metrics.h"
#include "relay/fetch_ahead.h"
#include "relay/fetch_blob.h"
#include "relay/fetch_list.h"
#include "relay/fetch_manifest.h"
#include "relay/server.h"

struct cache {
	struct fetch_env env;
	struct upstreams *upstreams;
	struct manifests *manifests;
	struct blobs *blobs;
	struct ahead *ahead;
	struct lists *lists;
	struct server *server;
	const struct config_upstream *cf;
	size_t count;
};

/* What every request for an upstream has. */
struct asked {
	const struct server_request *q;
	struct fetch_ask a;
	struct name repo, name;
};

static int malformed(struct reply *r, const char *what)
{
	answer_error(r, 400, ERR_UNSUPPORTED, what);
	return -1;
}

static int name_of(const struct server_request *q, const char *key, struct name *n)
{
	cleanup_str struct str value = STR_INIT;

	return server_value(q, key, &value) == 1 ? name_parse(n, value.buf, value.len) : -1;
}

/* 0, or -1 after it has been answered. */
static int read_common(struct cache *c, struct reply *r, struct asked *k)
{
	cleanup_str struct str up = STR_INIT;

	if (server_value(k->q, "up", &up) < 0 || name_of(k->q, "repo", &k->repo) < 0 || name_of(k->q, "name", &k->name) < 0)
		return malformed(r, "up, repo or name is missing or malformed");
	k->a = (struct fetch_ask){ .u = upstreams_find(c->upstreams, up.buf), .repo = k->repo.s, .name = k->name.s, .id = k->q->id };
	return k->a.u ? 0 : malformed(r, "there is no such upstream in the relay's configuration");
}

static int digest_of_query(const struct asked *k, const char *key, struct digest *d)
{
	cleanup_str struct str value = STR_INIT;

	return server_value(k->q, key, &value) == 1 ? digest_parse(d, value.buf, value.len) : -1;
}

static void on_manifest(struct cache *c, struct reply *r, const struct asked *k)
{
	cleanup_str struct str text = STR_INIT;
	struct digest have = { 0 };
	struct ref ref;

	if (server_value(k->q, "ref", &text) != 1 || ref_parse(&ref, text.buf, text.len, NULL) < 0) {
		malformed(r, "ref is missing or malformed");
		return;
	}
	if (digest_of_query(k, "have", &have) < 0)
		have.text[0] = '\0';
	manifests_get(c->manifests, &k->a, ref_text(&ref), have.text, r);
}

/* The range that is asked for: none, if it is to be a part of something else (RFC 9110, 13.1.5). */
static const char *range_of(const struct server_request *q, const struct digest *d)
{
	const char *tag = q->if_range;
	size_t len = strlen(d->text);

	if (!*tag || (strlen(tag) == len + 2 && tag[0] == '"' && memcmp(tag + 1, d->text, len) == 0 && tag[len + 1] == '"'))
		return q->range;
	return "";
}

static void on_blob(struct cache *c, struct reply *r, const struct asked *k)
{
	cleanup_str struct str keep = STR_INIT;
	struct digest d;

	server_value(k->q, "keep", &keep);
	if (digest_of_query(k, "digest", &d) < 0)
		malformed(r, "digest is missing or malformed");
	else
		blobs_get(c->blobs, &k->a, &d, strcmp(keep.buf, "1") == 0, range_of(k->q, &d), r);
}

static void on_warm(struct cache *c, struct reply *r, const struct asked *k)
{
	struct digest d;

	if (k->q->head || digest_of_query(k, "digest", &d) < 0)
		malformed(r, "digest is missing or malformed, or it is no GET");
	else
		blobs_warm(c->blobs, &k->a, &d, r);
}

static void on_tags(struct cache *c, struct reply *r, const struct asked *k)
{
	cleanup_str struct str query = STR_INIT, path = STR_INIT;

	server_value(k->q, "query", &query);
	server_value(k->q, "path", &path);
	lists_tags(c->lists, &k->a, query.buf, path.buf, r);
}

static void on_referrers(struct cache *c, struct reply *r, const struct asked *k)
{
	cleanup_str struct str query = STR_INIT, path = STR_INIT;
	struct digest d;

	server_value(k->q, "query", &query);
	server_value(k->q, "path", &path);
	if (digest_of_query(k, "digest", &d) < 0)
		malformed(r, "digest is missing or malformed");
	else
		lists_referrers(c->lists, &k->a, &d, query.buf, path.buf, r);
}

static void on_metrics(struct cache *c, struct reply *r)
{
	const struct cache_figures f = {
		.counts = c->env.counts, .sent = server_sent(c->server), .downloads = blobs_running(c->blobs), .upstreams = c->upstreams,
		.cf = c->cf, .count = c->count,
	};
	cleanup_str struct str out = STR_INIT;

	cache_metrics(&f, &out);
	reply_whole(r, 200, "Content-Type: " PROM_CONTENT_TYPE "\r\n", out.buf, out.len);
}

/* --- */

static void on_request(void *arg, struct reply *r, const struct server_request *q)
{
	static const struct {
		const char *path;
		void (*answer)(struct cache *c, struct reply *r, const struct asked *k);
	} routes[] = {
		{ "/manifest", on_manifest }, { "/blob", on_blob }, { "/warm", on_warm }, { "/tags", on_tags }, { "/referrers", on_referrers },
	};
	struct asked k = { .q = q };
	struct cache *c = arg;

	if (strcmp(q->path, "/metrics") == 0) {
		on_metrics(c, r);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		if (strcmp(q->path, routes[i].path) != 0)
			continue;
		if (read_common(c, r, &k) == 0)
			routes[i].answer(c, r, &k);
		return;
	}
	answer_error(r, 404, ERR_UNSUPPORTED, "the relay has nothing of this name");
}

/* A client that waits has a descriptor, and thousands may wait. */
static void raise_files(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) < 0 || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

struct cache *cache_open(const struct cache_options *o, const struct cache *before, struct str *why)
{
	cleanup_fd int dirfd = os_open(AT_FDCWD, o->root, O_RDONLY | O_DIRECTORY, 0);
	struct cache *c;

	if (dirfd < 0) {
		str_addf(why, "cannot open the store %s: %s", o->root, strerror(errno));
		return NULL;
	}
	raise_files();
	c = xcalloc(1, sizeof(*c));
	*c = (struct cache){
		.env = { .base = o->base, .workers = o->workers, .dirfd = dirfd, .max_manifest = o->max_manifest, .max_blob = o->max_blob,
			 .max_cache = o->max_cache, .counts = o->counts },
		.cf = o->upstreams, .count = o->count, .server = o->server,
	};
	dirfd = -1;
	c->upstreams = upstreams_open(o->base, o->client, o->upstreams, o->count);
	upstreams_inherit(c->upstreams, before ? before->upstreams : NULL);
	c->manifests = manifests_open(&c->env);
	c->blobs = blobs_open(&c->env);
	c->ahead = ahead_open(&c->env, c->manifests, c->blobs);
	c->lists = lists_open(&c->env);
	server_serve(c->server, on_request, c);
	return c;
}

bool cache_busy(const struct cache *c)
{
	return server_busy(c->server, c) || manifests_running(c->manifests) || blobs_running(c->blobs) || ahead_running(c->ahead) ||
	       lists_running(c->lists);
}

void cache_close(struct cache **cp)
{
	struct cache *c = STEAL(*cp);

	if (!c)
		return;
	server_cut(c->server, c);
	lists_close(&c->lists);
	ahead_close(&c->ahead);
	blobs_close(&c->blobs);
	manifests_close(&c->manifests);
	upstreams_close(&c->upstreams);
	os_cleanup_fd(&c->env.dirfd);
	free(c);
}
