/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: one request, until it has an answer.
 *
 * Owns what is known of the upstreams, and the requests under way. Invariant: each URL is asked at most twice for a request, the second time with a
 * login that was made for it.
 */
#include "relay/upstream_own.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/time.h"

#define CONNECT_MS 10000
#define SECOND UINT64_C(1000000)
#define BAD_FOR (10 * SECOND)           /* after a failure another URL goes first, and what is cached is not waited for */
#define LIMITED_FOR (60 * SECOND)       /* where a 429 does not say */
#define LIMITED_MOST (900 * SECOND)

const char *upstream_word(enum upstream_kind k)
{
	static const char *const words[UPSTREAM_KINDS] = { "ok", "missing", "unable", "denied", "limited", "login", "tls", "unreached", "failed" };

	return words[k];
}

struct upstreams *upstreams_open(struct event_base *base, struct client *c, const struct config_upstream *v, size_t count)
{
	struct upstreams *us = xcalloc(1, sizeof(*us));

	*us = (struct upstreams){ .base = base, .client = c, .v = xcalloc(count ? count : 1, sizeof(*us->v)), .count = count };
	for (size_t i = 0; i < count; i++)
		us->v[i] = (struct upstream){ .us = us, .cf = &v[i], .counts = { .remaining = -1 } };
	return us;
}

void upstreams_close(struct upstreams **usp)
{
	struct upstreams *us = STEAL(*usp);

	if (!us)
		return;
	for (size_t i = 0; i < us->count; i++)
		tokens_free(&us->v[i]);
	free(us->v);
	free(us);
}

struct upstream *upstreams_find(struct upstreams *us, const char *name)
{
	for (size_t i = 0; i < us->count; i++)
		if (strcmp(us->v[i].cf->name, name) == 0)
			return &us->v[i];
	return NULL;
}

void upstreams_inherit(struct upstreams *us, struct upstreams *before)
{
	for (size_t i = 0; before && i < us->count; i++) {
		const struct upstream *was = upstreams_find(before, us->v[i].cf->name);

		if (!was)
			continue;
		us->v[i].counts = was->counts;
		us->v[i].limited_until = was->limited_until;
	}
}

const struct config_upstream *upstream_config(const struct upstream *u)
{
	return u->cf;
}

const struct upstream_counts *upstream_counts(const struct upstream *u)
{
	return &u->counts;
}

/* --- the end of a request */

static void ask_free(struct upstream_ask *a)
{
	if (a->id)
		client_cancel(a->u->us->client, a->id);
	token_leave(a);
	event_free(a->soon);
	for (size_t i = 0; i < a->headers.count; i++)
		explicit_bzero(a->headers.v[i], strlen(a->headers.v[i]));
	names_release(&a->headers);
	free(a->method);
	free(a->name);
	free(a->tail);
	str_release(&a->why);
	free(a);
}

void upstream_cancel(struct upstream_ask **a)
{
	if (*a)
		ask_free(STEAL(*a));
}

static void finish(struct upstream_ask *a, const struct client_answer *http)
{
	static const struct client_answer none = { .why = "", .body = STR_INIT, .headers = STR_INIT };
	cleanup_str struct str why = a->why;
	struct upstream_answer said = { .kind = a->kind, .why = why.buf, .http = http ? http : &none };
	upstream_done *done = a->done;
	void *arg = a->arg;

	a->why = (struct str)STR_INIT;
	ask_free(a);
	done(arg, &said);
}

static void on_soon(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg, NULL);
}

/* --- what is known of URLs */

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The first URL that has not just failed; of those that have, the first. */
static size_t choose(const struct upstream *u)
{
	uint64_t now = time_now_usec();

	for (size_t i = 0; i < u->cf->urls.count; i++)
		if (u->url[i].bad_until <= now)
			return i;
	return 0;
}

/* Whether it is known that there would be no answer. */
static bool known_bad(struct upstream_ask *a)
{
	const struct upstream *u = a->u;
	uint64_t now = time_now_usec();

	if (now < u->limited_until) {
		a->kind = UPSTREAM_LIMITED;
		str_puts(&a->why, "it allows no more requests just now");
		return true;
	}
	if (u->url[choose(u)].bad_until <= now)
		return false;
	a->kind = u->url[0].bad;
	str_puts(&a->why, "it has just failed");
	return true;
}

/* Docker Hub says "ratelimit-remaining: 98;w=21600", of manifests alone: what it gives of blobs says nothing about the limit. */
static void note_rate(const struct upstream_ask *a, const struct client_answer *http)
{
	const char *left = http->status ? client_header(http, "RateLimit-Remaining", 0) : NULL;
	struct upstream *u = a->u;
	uint64_t n;

	if (http->status / 100 == 2 && !left && strncmp(a->tail, "manifests/", 10) == 0)
		u->limited_until = 0;
	if (!left || str_parse_u64(left, strcspn(left, "; "), &n) < 0 || n > INT64_MAX)
		return;
	u->counts.remaining = (int64_t)n;
	if (!n)
		u->limited_until = time_now_usec() + LIMITED_MOST;
	else if (http->status < 400)
		u->limited_until = 0;
}

static void note(struct upstream_ask *a, const struct client_answer *http)
{
	struct upstream *u = a->u;
	struct upstream_url *url = &u->url[a->url];
	uint64_t now = time_now_usec(), wait = http->retry_after * SECOND;

	u->counts.asked[a->kind]++;
	u->counts.bytes += http->body.len;
	/* Where a redirect led, another host has failed, or has limits of its own. */
	if (http->status && http->elsewhere) {
		url->bad_until = a->kind == UPSTREAM_OK ? 0 : url->bad_until;
		return;
	}
	note_rate(a, http);
	if (a->kind >= UPSTREAM_LOGIN) {
		url->bad_until = now + BAD_FOR;
		url->bad = a->kind;
	} else if (a->kind == UPSTREAM_LIMITED) {
		u->limited_until = now + (wait ? least(wait, LIMITED_MOST) : LIMITED_FOR);
	} else {
		url->bad_until = 0;
	}
}

/* --- asking */

static void ask(struct upstream_ask *a);

static enum upstream_kind kind_of(const struct upstream_ask *a, const struct client_answer *http)
{
	int s = http->status;

	if (!s)
		return http->fault == CLIENT_FAULT_TLS ? UPSTREAM_TLS : http->fault == CLIENT_FAULT_RULE ? UPSTREAM_FAILED : UPSTREAM_UNREACHED;
	if ((s >= 200 && s < 300) || s == 304)
		return UPSTREAM_OK;
	if (http->elsewhere)
		return UPSTREAM_FAILED;
	if (s == 401 || s == 403)
		return s == 401 && *a->u->cf->user && a->u->url[a->url].basic ? UPSTREAM_LOGIN : UPSTREAM_DENIED;
	return s == 404 ? UPSTREAM_MISSING : s == 405 || s == 501 ? UPSTREAM_UNABLE : s == 429 ? UPSTREAM_LIMITED : UPSTREAM_FAILED;
}

static void explain(struct upstream_ask *a, const struct client_answer *http)
{
	str_reset(&a->why);
	str_addf(&a->why, "%s: ", a->u->cf->urls.v[a->url]);
	if (http->status)
		str_addf(&a->why, "HTTP %d%s", http->status, http->elsewhere ? " at another host" : "");
	else
		str_puts(&a->why, http->why);
}

/* The answer is a failure, or there is none: the next URL, or the end. */
static void failed(struct upstream_ask *a, const struct client_answer *http)
{
	if (a->kind < UPSTREAM_LIMITED || a->streamed || ++a->tried >= a->u->cf->urls.count) {
		finish(a, http);
		return;
	}
	a->url = (a->url + 1) % a->u->cf->urls.count;
	a->anew = false;
	ask(a);
}

static void got(struct upstream_ask *a, bool got, enum upstream_kind kind, const char *why)
{
	static const struct client_answer none = { .why = "", .body = STR_INIT, .headers = STR_INIT };

	if (got) {
		ask(a);
		return;
	}
	a->kind = kind;
	if (why != a->why.buf) {
		str_reset(&a->why);
		str_puts(&a->why, why);
	}
	note(a, &none);
	failed(a, NULL);
}

/* Whether the answer asks for a login that can be made; the request goes on then. */
static bool log_in(struct upstream_ask *a, const struct client_answer *http)
{
	cleanup_challenge struct login_challenge c = LOGIN_CHALLENGE_INIT;
	const char *header;

	if (http->status != 401 || http->elsewhere || a->anew)
		return false;
	for (size_t i = 0; (header = client_header(http, "WWW-Authenticate", i)); i++)
		login_challenge_add(&c, header);
	if (c.kind == LOGIN_NONE || (c.kind == LOGIN_BASIC && (!*a->u->cf->user || a->u->url[a->url].basic)))
		return false;
	a->anew = true;
	str_reset(&a->why);
	a->u->url[a->url].basic = c.kind == LOGIN_BASIC;
	token_drop(a);
	if (c.kind == LOGIN_BASIC)
		ask(a);
	else if (!token_want(a, &c))
		got(a, false, UPSTREAM_LOGIN, a->why.buf);
	return true;
}

static void answered(void *arg, const struct client_answer *http)
{
	struct upstream_ask *a = arg;

	a->id = 0;
	if (log_in(a, http))
		return;
	a->kind = kind_of(a, http);
	note(a, http);
	str_reset(&a->why);
	if (a->kind == UPSTREAM_OK) {
		finish(a, http);
		return;
	}
	explain(a, http);
	failed(a, http);
}

static bool on_head(void *arg, const struct client_answer *http)
{
	struct upstream_ask *a = arg;

	return kind_of(a, http) == UPSTREAM_OK && a->call.head(a->arg, http);
}

static bool on_piece(void *arg, const void *data, size_t len)
{
	struct upstream_ask *a = arg;

	a->streamed = true;
	a->u->counts.bytes += len;
	return a->call.piece(a->arg, data, len);
}

/* The login that is known for this URL; false with a->why. */
static bool add_login(struct upstream_ask *a, struct str *header)
{
	const char *token;

	if (a->u->url[a->url].basic)
		return upstream_basic(a->u->cf, header, &a->why);
	token = token_valid(a);
	if (token)
		str_addf(header, "Authorization: Bearer %s", token);
	return true;
}

static void ask(struct upstream_ask *a)
{
	const struct config_upstream *cf = a->u->cf;
	cleanup_str struct str url = STR_INIT, login = STR_SECRET;
	struct client_call call = {
		.method = a->method, .headers = &a->headers, .ca = cf->ca, .hosts = &cf->redirects, .connect_ms = CONNECT_MS,
		.timeout_ms = a->call.timeout_ms, .stall_s = a->call.stall_s, .stall_bytes = a->call.stall_bytes, .answer_max = a->call.answer_max,
		.head = a->call.head ? on_head : NULL, .piece = a->call.head ? on_piece : NULL,
	};
	size_t plain = a->headers.count;

	str_reset(&a->why);
	if (!add_login(a, &login)) {
		a->kind = UPSTREAM_LOGIN;
		event_active(a->soon, EV_TIMEOUT, 0);
		return;
	}
	str_addf(&url, "%s/v2/%s/%s", cf->urls.v[a->url], a->name, a->tail);
	call.url = url.buf;
	if (login.len)
		names_add(&a->headers, login.buf, login.len);
	a->id = client_begin(a->u->us->client, &call, answered, a);
	if (a->headers.count == plain)
		return;
	explicit_bzero(a->headers.v[plain], login.len);
	free(a->headers.v[--a->headers.count]);
}

struct upstream_ask *upstream_begin(struct upstream *u, const struct upstream_call *call, upstream_done *done, void *arg)
{
	struct upstream_ask *a = xcalloc(1, sizeof(*a));

	*a = (struct upstream_ask){
		.u = u, .method = xstrdup(call->method), .name = xstrdup(call->name), .tail = xstrdup(call->tail), .call = *call,
		.done = done, .arg = arg, .url = choose(u), .got = got, .why = STR_INIT,
	};
	for (size_t i = 0; call->headers && i < call->headers->count; i++)
		names_add(&a->headers, call->headers->v[i], strlen(call->headers->v[i]));
	a->soon = evtimer_new(u->us->base, on_soon, a);
	if (!a->soon)
		abort();
	if (call->copy && known_bad(a))
		event_active(a->soon, EV_TIMEOUT, 0);
	else
		ask(a);
	return a;
}
