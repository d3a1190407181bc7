/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_list: tags and referrers.
 *
 * Owns the requests under way. Invariant: an answer is JSON that was read: of tags, only what is a tag gets into it.
 */
#include "relay/fetch_list.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "base/mediatype.h"
#include "base/mem.h"
#include "base/ref.h"
#include "relay/answer.h"

#define TIMEOUT_MS 30000
#define ANSWER_MAX (4 * 1024 * 1024)

struct list {
	struct list *next, **link;
	struct lists *ls;
	struct reply *r;
	struct upstream *u;
	char *repo, *name, *id, *path;
	struct digest digest;           /* of referrers */
	struct upstream_ask *ask;
};

struct lists {
	struct fetch_env *env;
	struct list *first;
};

static void list_free(struct list *l)
{
	upstream_cancel(&l->ask);
	*l->link = l->next;
	if (l->next)
		l->next->link = l->link;
	free(l->repo);
	free(l->name);
	free(l->id);
	free(l->path);
	free(l);
}

static void list_gone(void *arg)
{
	list_free(arg);
}

static struct list *list_new(struct lists *ls, const struct fetch_ask *a, const char *path, struct reply *r)
{
	struct list *l = xcalloc(1, sizeof(*l));

	*l = (struct list){
		.next = ls->first, .link = &ls->first, .ls = ls, .r = r, .u = a->u, .repo = xstrdup(a->repo), .name = xstrdup(a->name),
		.id = xstrdup(a->id), .path = xstrdup(path),
	};
	if (l->next)
		l->next->link = &l->next;
	ls->first = l;
	reply_watch(r, list_gone, l);
	return l;
}

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

/* The list is done: its reply, which is no longer watched after the answer that the caller gives. */
static struct reply *finish(struct list *l)
{
	struct reply *r = l->r;

	reply_watch(r, NULL, NULL);
	list_free(l);
	return r;
}

static void failed(struct list *l, const char *what, enum upstream_kind kind, const char *why)
{
	const struct fetch_ask a = { .u = l->u, .repo = l->repo, .name = l->name, .id = l->id };

	fetch_log(&a, what, kind, why);
	l->ls->env->counts->unanswered++;
	answer_stale(finish(l), kind);
}

static bool is_json(const struct client_answer *http)
{
	struct json_fault f;

	return !fetch_encoded(http) && json_check(http->body.buf, http->body.len, &f) == 0 &&
	       json_view_of(http->body.buf, http->body.len).kind == JSON_OBJECT;
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

/* A value of the query of upstream's link, encoded anew. */
static void add_value(const char *query, const char *key, struct str *out)
{
	const struct server_request q = { .query = query };
	cleanup_str struct str value = STR_INIT;

	if (server_value(&q, key, &value) != 1 || !value.len)
		return;
	str_addf(out, "%c%s=", strchr(out->buf, '?') ? '&' : '?', key);
	str_add_urlenc(out, value.buf, value.len);
}

/* Upstream's link to the next page leads to itself: ours leads here, with the same n and last. */
static void add_link(const struct list *l, const char *theirs, struct str *out)
{
	cleanup_str struct str url = STR_INIT, query = STR_INIT;
	const char *end, *mark;

	if (!theirs || *theirs != '<' || !(end = strchr(theirs, '>')) || !strstr(end, "next"))
		return;
	str_add(&url, theirs + 1, (size_t)(end - theirs - 1));
	mark = strchr(url.buf, '?');
	if (!mark)
		return;
	str_puts(&query, mark + 1);
	str_reset(&url);
	if (*l->path)
		str_puts(&url, l->path);
	else
		str_addf(&url, "/v2/%s/tags/list", l->repo);
	add_value(query.buf, "n", &url);
	add_value(query.buf, "last", &url);
	str_addf(out, "<%s>; rel=\"next\"", url.buf);
}

static void got_tags(void *arg, const struct upstream_answer *a)
{
	cleanup_str struct str body = STR_INIT, link = STR_INIT;
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_MISSING) {
		answer_error(finish(l), 404, ERR_NAME_UNKNOWN, "the upstream has no such repository");
	} else if (a->kind != UPSTREAM_OK) {
		failed(l, "tags", a->kind, a->why);
	} else if (!is_json(a->http)) {
		failed(l, "tags", UPSTREAM_FAILED, "the answer is no list of tags");
	} else {
		add_tags(l, json_view_get(json_view_of(a->http->body.buf, a->http->body.len), "tags"), &body);
		add_link(l, client_header(a->http, "Link", 0), &link);
		answer_json(finish(l), "application/json; charset=utf-8", link.buf, body.buf, body.len);
	}
}

/* It becomes part of a header. */
static bool path_ok(const char *path)
{
	for (; *path; path++)
		if ((unsigned char)*path <= ' ' || (unsigned char)*path >= 0x7f || *path == '>' || *path == '<')
			return false;
	return true;
}

void lists_tags(struct lists *ls, const struct fetch_ask *a, const char *n, const char *last, const char *path, struct reply *r)
{
	cleanup_str struct str tail = STR_INIT;
	uint64_t count;
	struct tag t;

	str_puts(&tail, "tags/list");
	if (str_parse_u64(n, strlen(n), &count) == 0)
		str_addf(&tail, "?n=%llu", (unsigned long long)count);
	if (tag_parse(&t, last, strlen(last)) == 0)
		str_addf(&tail, "%clast=%s", strchr(tail.buf, '?') ? '&' : '?', t.s);
	ask(list_new(ls, a, path_ok(path) ? path : "", r), tail.buf, "", got_tags);
}

/* --- referrers */

static void give_index(struct list *l, const struct upstream_answer *a)
{
	if (is_json(a->http) && json_view_get(json_view_of(a->http->body.buf, a->http->body.len), "manifests").kind == JSON_LIST)
		answer_json(finish(l), MT_OCI_INDEX, "", a->http->body.buf, a->http->body.len);
	else
		failed(l, l->digest.text, UPSTREAM_FAILED, "the answer is no index of referrers");
}

static void got_fallback(void *arg, const struct upstream_answer *a)
{
	static const char none[] = "{\"schemaVersion\":2,\"mediaType\":\"" MT_OCI_INDEX "\",\"manifests\":[]}\n";
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_OK)
		give_index(l, a);
	else if (a->kind == UPSTREAM_MISSING)
		answer_json(finish(l), MT_OCI_INDEX, "", none, sizeof(none) - 1);
	else
		failed(l, l->digest.text, a->kind, a->why);
}

static void got_referrers(void *arg, const struct upstream_answer *a)
{
	cleanup_str struct str tail = STR_INIT;
	struct list *l = arg;

	l->ask = NULL;
	if (a->kind == UPSTREAM_OK) {
		give_index(l, a);
	} else if (a->kind == UPSTREAM_MISSING || a->kind == UPSTREAM_UNABLE) {
		str_addf(&tail, "manifests/%s-%s", digest_alg_name(l->digest.alg), digest_hex(&l->digest));
		str_cut(&tail, tail.len > TAG_MAX_LEN + 10 ? TAG_MAX_LEN + 10 : tail.len);
		ask(l, tail.buf, "Accept: " MT_OCI_INDEX, got_fallback);
	} else {
		failed(l, l->digest.text, a->kind, a->why);
	}
}

void lists_referrers(struct lists *ls, const struct fetch_ask *a, const struct digest *digest, const char *artifact_type, struct reply *r)
{
	struct list *l = list_new(ls, a, "", r);
	cleanup_str struct str tail = STR_INIT;

	l->digest = *digest;
	str_addf(&tail, "referrers/%s", digest->text);
	if (*artifact_type) {
		str_puts(&tail, "?artifactType=");
		str_add_urlenc(&tail, artifact_type, strlen(artifact_type));
	}
	ask(l, tail.buf, "Accept: " MT_OCI_INDEX, got_referrers);
}

struct lists *lists_open(struct fetch_env *env)
{
	struct lists *ls = xcalloc(1, sizeof(*ls));

	ls->env = env;
	return ls;
}

void lists_close(struct lists **lp)
{
	struct lists *ls = STEAL(*lp);

	if (!ls)
		return;
	while (ls->first)
		list_free(ls->first);
	free(ls);
}
