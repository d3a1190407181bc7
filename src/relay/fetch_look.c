/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fetch_look: one HEAD, many who want to know.
 *
 * Owns the requests under way. Knows nothing of downloads.
 */
#include "relay/fetch_look.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay/answer.h"
#include "relay/waiters.h"

#define LOOKS_MAX 256           /* at the same time */
#define TIMEOUT_MS 30000
#define ANSWER_MAX 65536        /* bytes of an answer that is none */

struct look {
	struct look *next, **link;
	struct looks *ls;
	char *repo, *name, *id;
	struct upstream *u;
	struct digest digest;
	bool keep;
	struct waiters waiters;
	struct upstream_ask *ask;
};

struct looks {
	struct fetch_env *env;
	looks_unknown *unknown;
	void *arg;
	struct look *first;
	size_t count;
};

static void look_free(struct look *l)
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
	free(l);
}

static void nothing_more(void *arg)
{
	(void)arg;
}

static bool tells_size(const struct upstream_answer *a, uint64_t *size)
{
	const char *length = client_header(a->http, "Content-Length", 0);

	return a->kind == UPSTREAM_OK && !fetch_encoded(a->http) && length && str_parse_u64(length, strlen(length), size) == 0;
}

/* Whether a GET may have another answer: a redirect of upstream's may be signed for the method that it thinks is meant. */
static bool may_differ(const struct upstream_answer *a)
{
	return a->kind == UPSTREAM_OK || a->kind == UPSTREAM_UNABLE || (a->kind == UPSTREAM_FAILED && a->http->status && a->http->elsewhere);
}

static void looked(void *arg, const struct upstream_answer *a)
{
	struct look *l = arg;
	const struct fetch_ask own = { .u = l->u, .repo = l->repo, .name = l->name, .id = l->id };
	bool told, unknown;
	struct reply *r;
	uint64_t size;

	l->ask = NULL;
	told = tells_size(a, &size);
	unknown = !told && may_differ(a);
	if (!told && !unknown)
		fetch_log(&own, l->digest.text, a->kind, a->why);
	while ((r = waiters_next(&l->waiters))) {
		cleanup_str struct str headers = STR_INIT;

		if (told) {
			answer_blob_headers(&l->digest, &headers);
			reply_begin(r, 200, headers.buf, size, nothing_more);
		} else if (unknown) {
			l->ls->unknown(l->ls->arg, &own, &l->digest, l->keep, r);
		} else {
			answer_blob_failed(r, a->kind, NULL, 503);
		}
	}
	look_free(l);
}

static struct look *find(const struct looks *ls, const struct fetch_ask *a, const struct digest *digest)
{
	struct look *l = ls->first;

	while (l && (l->u != a->u || !digest_eq(&l->digest, digest) || strcmp(l->name, a->name) != 0))
		l = l->next;
	return l;
}

static struct look *look_new(struct looks *ls, const struct fetch_ask *a, const struct digest *digest)
{
	struct look *l = xcalloc(1, sizeof(*l));
	cleanup_str struct str tail = STR_INIT;
	struct upstream_call call = { .method = "HEAD", .name = a->name, .timeout_ms = TIMEOUT_MS, .answer_max = ANSWER_MAX };

	*l = (struct look){
		.next = ls->first, .link = &ls->first, .ls = ls, .repo = xstrdup(a->repo), .name = xstrdup(a->name), .id = xstrdup(a->id), .u = a->u,
		.digest = *digest,
	};
	if (l->next)
		l->next->link = &l->next;
	ls->first = l;
	ls->count++;
	str_addf(&tail, "blobs/%s", digest->text);
	call.tail = tail.buf;
	l->ask = upstream_begin(a->u, &call, looked, l);
	return l;
}

void looks_get(struct looks *ls, const struct fetch_ask *a, const struct digest *digest, bool keep, struct reply *r)
{
	struct look *l = find(ls, a, digest);

	if (!l && ls->count >= LOOKS_MAX) {
		answer_error(r, 503, ERR_UNAVAILABLE, "too many blobs are looked for at the same time");
		return;
	}
	if (!l)
		l = look_new(ls, a, digest);
	l->keep |= keep;
	waiters_add(&l->waiters, r);
}

struct looks *looks_open(struct fetch_env *env, looks_unknown *unknown, void *arg)
{
	struct looks *ls = xcalloc(1, sizeof(*ls));

	*ls = (struct looks){ .env = env, .unknown = unknown, .arg = arg };
	return ls;
}

void looks_close(struct looks **lsp)
{
	struct looks *ls = STEAL(*lsp);

	if (!ls)
		return;
	while (ls->first)
		look_free(ls->first);
	free(ls);
}
