/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_list: tags and referrers.
 *
 * Owns the questions under way. Invariant: an answer is JSON that was read: of tags, only what is a tag gets into it; of referrers, each entry is a
 * descriptor.
 */
#include "relay/fetch_list.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "base/ref.h"
#include "relay/answer.h"
#include "relay/kept.h"
#include "relay/link.h"
#include "relay/waiters.h"

#define TIMEOUT_MS 30000
#define ANSWER_MAX (4 * 1024 * 1024)
#define RUNNING_MAX 64
#define FALLBACK_HEX 64                 /* of a digest's: the tag of its referrers has no more (distribution-spec, "Referrers Tag Schema") */

struct list {
	struct list *next, **link;
	struct lists *ls;
	struct waiters waiters;
	struct upstream *u;
	char *repo, *name, *id;
	struct str key;                 /* what it is found by */
	struct link_own own;
	struct digest digest;           /* of referrers */
	struct upstream_ask *ask;
};

struct lists {
	struct fetch_env *env;
	struct kept *kept;
	struct list *first;
	size_t count;
};

static void list_free(struct list *l)
{
	upstream_cancel(&l->ask);
	waiters_release(&l->waiters);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	l->ls->count--;
	free(l->repo);
	free(l->name);
	free(l->id);
	str_release(&l->key);
	link_own_release(&l->own);
	free(l);
}

/* --- its end */

static void end_error(struct list *l, int status, enum err_code code, const char *detail)
{
	struct reply *r;

	while ((r = waiters_next(&l->waiters)))
		answer_error(r, status, code, detail);
	list_free(l);
}

static void end_list(struct list *l, const char *type, const struct client_answer *http, const char *body, size_t len)
{
	const char *filters = client_header(http, "OCI-Filters-Applied", 0);
	cleanup_str struct str headers = STR_INIT;
	struct reply *r;

	str_addf(&headers, "Content-Type: %s\r\n", type);
	link_add(&l->own, client_header(http, "Link", 0), &headers);
	if (filters && strcmp(filters, "artifactType") == 0)
		str_puts(&headers, "OCI-Filters-Applied: artifactType\r\n");
	kept_put(l->ls->kept, l->key.buf, &headers, body, len);
	while ((r = waiters_next(&l->waiters)))
		reply_whole(r, 200, headers.buf, body, len);
	list_free(l);
}

static void failed(struct list *l, const char *what, enum upstream_kind kind, const char *why)
{
	const struct fetch_ask a = { .u = l->u, .repo = l->repo, .name = l->name, .id = l->id };
	cleanup_str struct str headers = STR_INIT;
	struct kept_answer was;
	bool have = kept_get(l->ls->kept, l->key.buf, upstream_config(l->u)->stale, &was);
	struct reply *r;

	fetch_log(&a, what, kind, why);
	if (have)
		str_addf(&headers, "%sWarning: 299 - \"the upstream could not be asked (%s); this is what it said %" PRIu64 " seconds ago\"\r\n",
			 was.headers, upstream_word(kind), was.age);
	while ((r = waiters_next(&l->waiters))) {
		l->ls->env->counts->unanswered++;
		if (have)
			reply_whole(r, 200, headers.buf, was.body, was.len);
		else
			answer_stale(r, kind);
	}
	list_free(l);
}

static bool is_json(const struct client_answer *http)
{
	struct json_fault f;

	return !fetch_encoded(http) && json_check(http->body.buf, http->body.len, &f) == 0 &&
	       json_view_of(http->body.buf, http->body.len).kind == JSON_OBJECT;
}

static struct json_view member(const struct client_answer *http, const char *name)
{
	return json_view_get(json_view_of(http->body.buf, http->body.len), name);
}

/* --- asking */

static void ask(struct list *l, const char *tail, const char *header, upstream_done *done)
{
	cleanup_names struct names headers = NAMES_INIT;
	const struct upstream_call call = {
		.method = "GET", .name = l->name, .tail = tail, .headers = &headers, .timeout_ms = TIMEOUT_MS, .answer_max = ANSWER_MAX, .copy = true,
	};

	if (*header)
		names_add(&headers, header, strlen(header));
	l->ask = upstream_begin(l->u, &call, done, l);
}

/* tail: without the query */
static void get(struct lists *ls, const struct fetch_ask *a, struct list *of, const char *tail, const char *header, upstream_done *done,
		struct reply *r)
{
	cleanup_str struct str whole = STR_INIT;
	struct list *l = ls->first;

	str_addf(&whole, "%s%s%s", tail, of->own.query.len ? "?" : "", of->own.query.buf);
	str_addf(&of->key, "%s\n%s\n%s\n%s\n%s", upstream_config(a->u)->name, a->name, whole.buf, of->own.path.buf, of->own.space.buf);
	while (l && strcmp(l->key.buf, of->key.buf) != 0)
		l = l->next;
	if (l) {
		ls->env->counts->coalesced++;
	} else if (ls->count < RUNNING_MAX) {
		l = xcalloc(1, sizeof(*l));
		*l = *of;
		*of = (struct list){ .key = STR_INIT, .own = LINK_OWN_INIT };
		l->next = ls->first;
		l->link = &ls->first;
		l->ls = ls;
		l->u = a->u;
		l->repo = xstrdup(a->repo);
		l->name = xstrdup(a->name);
		l->id = xstrdup(a->id);
		if (l->next)
			l->next->link = &l->next;
		ls->first = l;
		ls->count++;
		ask(l, whole.buf, header, done);
	}
	str_release(&of->key);
	link_own_release(&of->own);
	if (l)
		waiters_add(&l->waiters, r);
	else
		answer_error(r, 503, ERR_UNAVAILABLE, "too many lists are fetched at the same time");
}

/* --- tags */

static void add_tags(const struct list *l, struct json_view tags, struct str *out)
{
	struct json_walk w = json_walk(tags);
	const char *comma = "";
	struct json_view v;

	str_addf(out, "{\"name\":\"%s\",\"tags\":[", l->repo);
	while (json_walk_next(&w, NULL, &v)) {
		cleanup_str struct str text = STR_INIT;
		struct tag t;

		if (v.kind != JSON_STRING)
			continue;
		json_view_text(v, &text);
		if (tag_parse(&t, text.buf, text.len) < 0)
			continue;
		str_addf(out, "%s\"%s\"", comma, t.s);
		comma = ",";
	}
	str_puts(out, "]}\n");
}

static void got_tags(void *arg, const struct upstream_answer *a)
{
	cleanup_str struct str body = STR_INIT;
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_MISSING) {
		end_error(l, 404, ERR_NAME_UNKNOWN, "the upstream has no such repository");
	} else if (a->kind != UPSTREAM_OK) {
		failed(l, "tags", a->kind, a->why);
	} else if (!is_json(a->http)) {
		failed(l, "tags", UPSTREAM_FAILED, "the answer is no list of tags");
	} else {
		add_tags(l, member(a->http, "tags"), &body);
		end_list(l, "application/json; charset=utf-8", a->http, body.buf, body.len);
	}
}

void lists_tags(struct lists *ls, const struct fetch_ask *a, const char *query, const char *path, struct reply *r)
{
	struct list of = { .key = STR_INIT, .own = LINK_OWN_INIT };
	cleanup_str struct str usual = STR_INIT;

	str_addf(&usual, "/v2/%s/tags/list", a->repo);
	link_own_set(&of.own, *path ? path : usual.buf, query);
	get(ls, a, &of, "tags/list", "", got_tags, r);
}

/* --- referrers */

static bool is_descriptor(struct json_view v)
{
	struct json_view digest = json_view_get(v, "digest");
	cleanup_str struct str text = STR_INIT;
	struct digest d;
	uint64_t size;

	if (digest.kind != JSON_STRING || json_view_get(v, "mediaType").kind != JSON_STRING || json_view_u64(json_view_get(v, "size"), &size) < 0)
		return false;
	json_view_text(digest, &text);
	return digest_parse(&d, text.buf, text.len) == 0;
}

static bool is_index(const struct client_answer *http)
{
	struct json_view all, one;
	struct json_walk w;

	if (!is_json(http))
		return false;
	all = member(http, "manifests");
	if (all.kind != JSON_LIST)
		return false;
	for (w = json_walk(all); json_walk_next(&w, NULL, &one);)
		if (!is_descriptor(one))
			return false;
	return true;
}

static void end_index(struct list *l, const struct upstream_answer *a)
{
	if (is_index(a->http))
		end_list(l, MT_OCI_INDEX, a->http, a->http->body.buf, a->http->body.len);
	else
		failed(l, l->digest.text, UPSTREAM_FAILED, "the answer is no index of referrers");
}

static void got_fallback(void *arg, const struct upstream_answer *a)
{
	static const char none[] = "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}\n";
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_OK)
		end_index(l, a);
	else if (a->kind == UPSTREAM_MISSING)
		end_list(l, MT_OCI_INDEX, a->http, none, sizeof(none) - 1);
	else
		failed(l, l->digest.text, a->kind, a->why);
}

/* An upstream without this API has the index under a tag. */
static void got_referrers(void *arg, const struct upstream_answer *a)
{
	cleanup_str struct str tail = STR_INIT;
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_OK && is_index(a->http)) {
		end_index(l, a);
	} else if (a->kind == UPSTREAM_OK || a->kind == UPSTREAM_MISSING || a->kind == UPSTREAM_UNABLE) {
		str_addf(&tail, "manifests/%s-%.*s", digest_alg_name(l->digest.alg), FALLBACK_HEX, digest_hex(&l->digest));
		ask(l, tail.buf, "Accept: " MT_OCI_INDEX, got_fallback);
	} else {
		failed(l, l->digest.text, a->kind, a->why);
	}
}

void lists_referrers(struct lists *ls, const struct fetch_ask *a, const struct digest *digest, const char *query, const char *path, struct reply *r)
{
	struct list of = { .key = STR_INIT, .own = LINK_OWN_INIT, .digest = *digest };
	cleanup_str struct str usual = STR_INIT, tail = STR_INIT;

	str_addf(&usual, "/v2/%s/referrers/%s", a->repo, digest->text);
	str_addf(&tail, "referrers/%s", digest->text);
	link_own_set(&of.own, *path ? path : usual.buf, query);
	get(ls, a, &of, tail.buf, "Accept: " MT_OCI_INDEX, got_referrers, r);
}

struct lists *lists_open(struct fetch_env *env)
{
	struct lists *ls = xcalloc(1, sizeof(*ls));

	*ls = (struct lists){ .env = env, .kept = kept_open() };
	return ls;
}

void lists_close(struct lists **lp)
{
	struct lists *ls = STEAL(*lp);

	if (!ls)
		return;
	while (ls->first)
		list_free(ls->first);
	kept_close(&ls->kept);
	free(ls);
}

size_t lists_running(const struct lists *ls)
{
	return ls->count;
}
