/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_manifest: one fetch for all who ask.
 *
 * Owns the fetches, and what was missing lately. Invariant: a fetch is found by its key until its waiters are answered; no byte
 * that has another digest than the one asked for, or claimed, leaves this module.
 */
#include "relay/fetch_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "base/ref.h"
#include "base/time.h"
#include "relay/answer.h"
#include "relay/handover.h"
#include "relay/waiters.h"

#define TIMEOUT_MS 60000
#define STALL_S 20
#define MISSING_MAX 1024        /* remembered 404s; a new one takes the place of the oldest */
#define FETCHES_MAX 1024        /* at the same time */

static const char accept_all[] = "Accept: " MT_OCI_MANIFEST ", " MT_OCI_INDEX ", " MT_DOCKER_MANIFEST ", " MT_DOCKER_LIST;

struct fetcher {                        /* of manifests_fetch() */
	struct fetcher *next;
	manifests_done *done;
	void *arg;
};

struct fetching {
	struct fetching *next, **link;
	struct manifests *m;
	struct upstream *u;
	char *key, *repo, *name, *ref, *have, *id;
	struct str tail;
	struct upstream_ask *ask;
	struct handover *handover;
	struct waiters waiters;
	struct fetcher *fetchers;
	struct str bytes;               /* of an upstream with `platforms` */
	bool stored;
	bool ahead;                     /* nobody has asked for it: it is not worth the last of a rate limit */
};

struct missing {
	char *key;
	uint64_t until;                 /* monotonic clock, microseconds */
};

struct manifests {
	struct fetch_env *env;
	struct fetching *first;
	size_t count;
	struct missing missing[MISSING_MAX];
	size_t oldest;
	manifests_stored *tell;
	void *arg;
};

/* --- what is missing upstream */

static bool is_missing(const struct manifests *m, const char *key)
{
	uint64_t now = time_now_usec();

	for (size_t i = 0; i < MISSING_MAX; i++)
		if (m->missing[i].key && now < m->missing[i].until && strcmp(m->missing[i].key, key) == 0)
			return true;
	return false;
}

static void remember_missing(struct manifests *m, const char *key, uint64_t seconds)
{
	struct missing *one = &m->missing[m->oldest];

	if (!seconds)
		return;
	m->oldest = (m->oldest + 1) % MISSING_MAX;
	free(one->key);
	*one = (struct missing){ .key = xstrdup(key), .until = time_now_usec() + seconds * UINT64_C(1000000) };
}

/* --- those who wait */

/* The next reply that waits. After the last one those of manifests_fetch() are told. */
static struct reply *next_waiter(struct fetching *f)
{
	struct reply *r = waiters_next(&f->waiters);
	struct fetcher *one;

	while (!r && (one = f->fetchers)) {
		struct fetcher was = *one;

		f->fetchers = one->next;
		free(one);
		was.done(was.arg, f->stored ? &f->bytes : NULL);
	}
	return r;
}

static void fetching_free(struct fetching *f)
{
	struct fetcher *one;

	upstream_cancel(&f->ask);
	handover_cancel(&f->handover);
	waiters_release(&f->waiters);
	while ((one = f->fetchers)) {
		f->fetchers = one->next;
		free(one);
	}
	*f->link = f->next;
	if (f->next)
		f->next->link = f->link;
	f->m->count--;
	free(f->key);
	free(f->repo);
	free(f->name);
	free(f->ref);
	free(f->have);
	free(f->id);
	str_release(&f->tail);
	str_release(&f->bytes);
	free(f);
}

static struct fetch_ask ask_of(const struct fetching *f)
{
	return (struct fetch_ask){ .u = f->u, .repo = f->repo, .name = f->name, .id = f->id };
}

/* --- the three ways that a fetch ends */

static void end_fresh(struct fetching *f)
{
	struct reply *r;

	while ((r = next_waiter(f)))
		answer_fresh(r);
	fetching_free(f);
}

static void end_error(struct fetching *f, int status, enum err_code code, const char *detail)
{
	struct reply *r;

	while ((r = next_waiter(f)))
		answer_error(r, status, code, detail);
	fetching_free(f);
}

static void end_failed(struct fetching *f, enum upstream_kind kind, const char *why)
{
	struct fetch_ask a = ask_of(f);
	struct reply *r;

	fetch_log(&a, f->ref, kind, why);
	while ((r = next_waiter(f))) {
		f->m->env->counts->unanswered++;
		answer_stale(r, kind);
	}
	fetching_free(f);
}

static void end_missing(struct fetching *f)
{
	remember_missing(f->m, f->key, upstream_config(f->u)->missing);
	end_error(f, 404, ERR_MANIFEST_UNKNOWN, "the upstream has no such manifest");
}

/* --- to the worker */

static void handed_over(void *arg, int status, const char *why)
{
	struct fetching *f = arg;
	struct fetch_ask a = ask_of(f);

	f->handover = NULL;
	if (status / 100 == 2) {
		f->stored = f->bytes.len;
		if (f->stored && f->m->tell)
			f->m->tell(f->m->arg, &a, &f->bytes);
		end_fresh(f);
		return;
	}
	f->m->env->counts->refused++;
	fetch_log(&a, f->ref, UPSTREAM_OK, why);
	if (!status || status >= 500)
		end_error(f, 503, ERR_UNAVAILABLE, "the manifest cannot be stored just now");
	else
		end_error(f, 502, ERR_MANIFEST_INVALID, why);
}

static struct handover_of handover_of(struct fetching *f)
{
	return (struct handover_of){ .repo = f->repo, .id = f->id, .done = handed_over, .arg = f };
}

static void confirm(struct fetching *f)
{
	struct handover_of o = handover_of(f);

	f->m->env->counts->checked++;
	f->handover = handover_checked(f->m->env->workers, &o, f->ref, f->have);
}

/* The media type: as the header says, or else as the manifest says itself. NULL: it is none that a registry stores. */
static const char *type_of(const struct client_answer *http)
{
	const char *header = client_header(http, "Content-Type", 0);
	cleanup_str struct str text = STR_INIT;
	enum mediatype t = header ? mediatype_parse(header, strlen(header)) : MEDIATYPE_OTHER;
	struct json_fault fault;
	struct json_view v;

	if (t != MEDIATYPE_OTHER || json_check(http->body.buf, http->body.len, &fault) < 0)
		return mediatype_text(t);
	v = json_view_get(json_view_of(http->body.buf, http->body.len), "mediaType");
	if (v.kind != JSON_STRING)
		return NULL;
	json_view_text(v, &text);
	return mediatype_text(mediatype_parse(text.buf, text.len));
}

/* Whether the bytes have the digest that was asked for, and the one that the answer claims. */
static bool digest_right(const struct fetching *f, const struct client_answer *http)
{
	const char *claims[] = { f->ref, client_header(http, "Docker-Content-Digest", 0) };

	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct digest want, is;

		if (!claims[i] || !*claims[i])
			continue;
		if (digest_parse(&want, claims[i], strlen(claims[i])) < 0) {
			if (i)
				return false;
			continue;       /* a tag */
		}
		digest_of(&is, want.alg, http->body.buf, http->body.len);
		if (!digest_eq(&is, &want))
			return false;
	}
	return true;
}

static void take(struct fetching *f, const struct client_answer *http)
{
	struct handover_of o = handover_of(f);
	const char *why = NULL, *type = type_of(http);

	if (fetch_encoded(http))
		why = "the manifest comes encoded";
	else if (!digest_right(f, http))
		why = "the manifest has another digest than it should have";
	else if (!type)
		why = "the answer is no manifest of a known type";
	if (why) {
		f->m->env->counts->wrong++;
		end_failed(f, UPSTREAM_FAILED, why);
		return;
	}
	f->m->env->counts->manifests++;
	if (upstream_config(f->u)->platforms.count)
		str_add(&f->bytes, http->body.buf, http->body.len);
	f->handover = handover_manifest(f->m->env->workers, &o, f->ref, type, http->body.buf, http->body.len);
}

/* --- upstream */

static void fetched(void *arg, const struct upstream_answer *a)
{
	struct fetching *f = arg;

	f->ask = NULL;
	if (a->kind == UPSTREAM_OK)
		take(f, a->http);
	else if (a->kind == UPSTREAM_MISSING)
		end_missing(f);
	else
		end_failed(f, a->kind, a->why);
}

static void ask(struct fetching *f, const char *method, const char *condition, upstream_done *done)
{
	cleanup_names struct names headers = NAMES_INIT;
	struct upstream_call call = {
		.method = method, .name = f->name, .tail = f->tail.buf, .headers = &headers, .timeout_ms = TIMEOUT_MS, .stall_s = STALL_S,
		.answer_max = f->m->env->max_manifest, .copy = *f->have != '\0' || f->ahead,
	};

	names_add(&headers, accept_all, sizeof(accept_all) - 1);
	if (*condition)
		names_add(&headers, condition, strlen(condition));
	f->ask = upstream_begin(f->u, &call, done, f);
}

/* After the HEAD of a tag. */
static void looked(void *arg, const struct upstream_answer *a)
{
	struct fetching *f = arg;
	const char *is = client_header(a->http, "Docker-Content-Digest", 0);

	f->ask = NULL;
	if (a->kind == UPSTREAM_OK && (a->http->status == 304 || (is && strcmp(is, f->have) == 0)))
		confirm(f);
	else if (a->kind == UPSTREAM_OK || a->kind == UPSTREAM_UNABLE || a->kind == UPSTREAM_MISSING)
		ask(f, "GET", "", fetched);     /* some know no HEAD, and say 404 */
	else
		fetched(f, a);
}

static void begin(struct fetching *f)
{
	cleanup_str struct str condition = STR_INIT;
	struct digest d;

	str_addf(&f->tail, "manifests/%s", f->ref);
	if (!*f->have || digest_parse(&d, f->ref, strlen(f->ref)) == 0) {
		ask(f, "GET", "", fetched);
		return;
	}
	str_addf(&condition, "If-None-Match: \"%s\"", f->have);
	ask(f, "HEAD", condition.buf, looked);
}

static struct fetching *find(const struct manifests *m, const char *key, const char *have)
{
	struct fetching *f = m->first;

	while (f && (strcmp(f->key, key) != 0 || strcmp(f->have, have) != 0))
		f = f->next;
	return f;
}

/* One that is under way, or a new one; NULL: there are too many. */
static struct fetching *fetching_of(struct manifests *m, const struct fetch_ask *a, const char *key, const char *ref, const char *have, bool ahead)
{
	struct fetching *f = find(m, key, have);

	if (f)
		m->env->counts->coalesced++;
	if (f || m->count >= FETCHES_MAX)
		return f;
	f = xcalloc(1, sizeof(*f));
	*f = (struct fetching){
		.m = m, .next = m->first, .link = &m->first, .u = a->u, .key = xstrdup(key), .repo = xstrdup(a->repo), .name = xstrdup(a->name),
		.ref = xstrdup(ref), .have = xstrdup(have), .id = xstrdup(a->id), .tail = STR_INIT, .bytes = STR_INIT,
		.ahead = ahead,
	};
	if (f->next)
		f->next->link = &f->next;
	m->first = f;
	m->count++;
	begin(f);
	return f;
}

static void add_key(const struct fetch_ask *a, const char *ref, struct str *key)
{
	str_addf(key, "%s\n%s\n%s", upstream_config(a->u)->name, a->name, ref);
}

void manifests_get(struct manifests *m, const struct fetch_ask *a, const char *ref, const char *have, struct reply *r)
{
	cleanup_str struct str key = STR_INIT;
	struct fetching *f = NULL;
	bool missing;

	add_key(a, ref, &key);
	missing = !find(m, key.buf, have) && is_missing(m, key.buf);
	if (!missing)
		f = fetching_of(m, a, key.buf, ref, have, false);
	if (f)
		waiters_add(&f->waiters, r);
	else if (missing)
		answer_error(r, 404, ERR_MANIFEST_UNKNOWN, "the upstream has no such manifest");
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "too many manifests are fetched at the same time");
}

void manifests_fetch(struct manifests *m, const struct fetch_ask *a, const char *digest, manifests_done *done, void *arg)
{
	cleanup_str struct str key = STR_INIT;
	struct fetcher *one;
	struct fetching *f;

	add_key(a, digest, &key);
	f = fetching_of(m, a, key.buf, digest, "", true);
	if (!f) {
		done(arg, NULL);
		return;
	}
	one = xcalloc(1, sizeof(*one));
	*one = (struct fetcher){ .next = f->fetchers, .done = done, .arg = arg };
	f->fetchers = one;
}

void manifests_tell(struct manifests *m, manifests_stored *stored, void *arg)
{
	m->tell = stored;
	m->arg = arg;
}

struct manifests *manifests_open(struct fetch_env *env)
{
	struct manifests *m = xcalloc(1, sizeof(*m));

	m->env = env;
	return m;
}

size_t manifests_running(const struct manifests *m)
{
	return m->count;
}

void manifests_close(struct manifests **mp)
{
	struct manifests *m = STEAL(*mp);

	if (!m)
		return;
	while (m->first)
		fetching_free(m->first);
	for (size_t i = 0; i < MISSING_MAX; i++)
		free(m->missing[i].key);
	free(m);
}
