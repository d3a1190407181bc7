/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_token: logins, and the tokens that they give. A part of `upstream`.
 *
 * Owns the tokens. Invariant: a password is sent only where password_goes() lets it, and a token is fetched once for all who wait for it.
 */
#include "relay/upstream_own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/b64.h"
#include "base/mem.h"
#include "base/time.h"
#include "os/file.h"
#include "relay/target.h"

#define TOKENS_MAX 256          /* of an upstream: one for each repository; the one that was not used for the longest time goes */
#define PASSWORD_MAX 16384      /* bytes: some are tokens themselves */
#define MARGIN UINT64_C(10000000)       /* microseconds: a token is not used in its last ones */
#define CONNECT_MS 10000
#define TIMEOUT_MS 30000
#define ANSWER_MAX 65536

/* --- passwords */

static bool read_password(const struct config_upstream *cf, struct str *out, struct str *why)
{
	char buf[PASSWORD_MAX + 1];
	ssize_t n;

	if (!*cf->password_file) {
		str_puts(out, cf->password);
		return true;
	}
	n = os_read_file(AT_FDCWD, cf->password_file, buf, PASSWORD_MAX);
	while (n > 0 && n <= PASSWORD_MAX && (buf[n - 1] == '\n' || buf[n - 1] == '\r'))
		n--;
	if (n < 0)
		str_addf(why, "cannot read the password in %s: %s", cf->password_file, strerror(errno));
	else if (n > PASSWORD_MAX || memchr(buf, '\0', (size_t)n))
		str_addf(why, "%s has no password: it is longer than %d bytes, or not text", cf->password_file, PASSWORD_MAX);
	else
		str_add(out, buf, (size_t)n);
	explicit_bzero(buf, sizeof(buf));
	return !why->len;
}

bool upstream_basic(const struct config_upstream *cf, struct str *header, struct str *why)
{
	cleanup_str struct str login = STR_SECRET;

	str_addf(&login, "%s:", cf->user);
	if (!read_password(cf, &login, why))
		return false;
	str_puts(header, "Authorization: Basic ");
	b64_encode(B64_PADDED, login.buf, login.len, header);
	return true;
}

static bool listed(const struct names *hosts, const char *host)
{
	for (size_t i = 0; i < hosts->count; i++)
		if (strcasecmp(hosts->v[i], host) == 0)
			return true;
	return false;
}

/* Whether the operator lets the password go to this realm: it is on the same host, or listed, and the way there is no less safe. */
static bool password_goes(const struct upstream_token *t)
{
	const struct config_upstream *cf = t->u->cf;
	struct target realm, registry;

	return client_target(t->realm.buf, &realm) && client_target(cf->urls.v[t->url], &registry) && (realm.tls || !registry.tls) &&
	       (target_trusted(&registry, &realm) || listed(&cf->realms, realm.host));
}

/* --- tokens */

static void token_free(struct upstream_token *t)
{
	if (t->call)
		client_cancel(t->u->us->client, t->call);
	free(t->name);
	str_release(&t->text);
	str_release(&t->realm);
	str_release(&t->service);
	str_release(&t->scope);
	free(t);
}

void tokens_free(struct upstream *u)
{
	struct upstream_token *t, *next;

	for (t = u->tokens; t; t = next) {
		next = t->next;
		token_free(t);
	}
	u->tokens = NULL;
	u->ntokens = 0;
}

/* The last one that nobody waits for. */
static void make_room(struct upstream *u)
{
	struct upstream_token **at, **last = NULL, *t;

	for (at = &u->tokens; *at; at = &(*at)->next)
		if (!(*at)->call)
			last = at;
	if (u->ntokens < TOKENS_MAX || !last)
		return;
	t = *last;
	*last = t->next;
	u->ntokens--;
	token_free(t);
}

static struct upstream_token *find(struct upstream_ask *a)
{
	struct upstream_token **at, *t;

	for (at = &a->u->tokens; (t = *at); at = &t->next) {
		if (t->url != a->url || strcmp(t->name, a->name) != 0)
			continue;
		*at = t->next;
		t->next = a->u->tokens;
		a->u->tokens = t;
		return t;
	}
	return NULL;
}

static struct upstream_token *find_or_make(struct upstream_ask *a)
{
	struct upstream_token *t = find(a);

	if (t)
		return t;
	make_room(a->u);
	t = xcalloc(1, sizeof(*t));
	*t = (struct upstream_token){
		.next = a->u->tokens, .u = a->u, .url = a->url, .name = xstrdup(a->name), .text = STR_SECRET,
		.realm = STR_INIT, .service = STR_INIT, .scope = STR_INIT,
	};
	a->u->tokens = t;
	a->u->ntokens++;
	return t;
}

const char *token_valid(struct upstream_ask *a)
{
	struct upstream_token *t = find(a);

	return t && t->text.len && time_now_usec() < t->until ? t->text.buf : NULL;
}

void token_drop(struct upstream_ask *a)
{
	struct upstream_token *t = find(a);

	if (t)
		str_reset(&t->text);
}

void token_leave(struct upstream_ask *a)
{
	if (!a->token)
		return;
	*a->link = a->next;
	if (a->next)
		a->next->link = a->link;
	a->token = NULL;
}

/* Those who come to wait while this goes on wait for another fetch. */
static void tell(struct upstream_token *t, bool got, enum upstream_kind kind, const char *why)
{
	struct upstream_ask *waiting = STEAL(t->waiting), *a;

	if (waiting)
		waiting->link = &waiting;
	while ((a = waiting)) {
		token_leave(a);
		a->got(a, got, kind, why);
	}
}

/* --- a fetch */

static bool fetch(struct upstream_token *t, struct str *why);

static enum upstream_kind kind_of(const struct client_answer *a)
{
	if (!a->status)
		return a->fault == CLIENT_FAULT_TLS ? UPSTREAM_TLS : a->fault == CLIENT_FAULT_RULE ? UPSTREAM_LOGIN : UPSTREAM_UNREACHED;
	return a->status == 429 ? UPSTREAM_LIMITED : a->status >= 500 ? UPSTREAM_FAILED : UPSTREAM_LOGIN;
}

static void fetched(void *arg, const struct client_answer *a)
{
	cleanup_str struct str why = STR_INIT;
	struct upstream_token *t = arg;
	uint64_t seconds;

	t->call = 0;
	if (!t->posted && (a->status == 404 || a->status == 405) && *t->u->cf->user && password_goes(t)) {
		t->posted = true;
		if (fetch(t, &why))
			return;
		tell(t, false, UPSTREAM_LOGIN, why.buf);
	} else if (a->status == 200 && login_token(a->body.buf, a->body.len, &t->text, &seconds)) {
		t->until = time_now_usec() + seconds * UINT64_C(1000000) - MARGIN;
		tell(t, true, UPSTREAM_OK, "");
	} else {
		str_addf(&why, "no token from %s: ", t->realm.buf);
		if (!a->status)
			str_puts(&why, a->why);
		else if (a->status == 200)
			str_puts(&why, "the answer has none");
		else
			str_addf(&why, "HTTP %d", a->status);
		tell(t, false, kind_of(a), why.buf);
	}
}

static void add_field(struct str *out, const char *name, const struct str *value)
{
	if (!value->len)
		return;
	str_addf(out, "%s%s=", out->len ? "&" : "", name);
	str_add_urlenc(out, value->buf, value->len);
}

/* The form of OAuth 2, which has the password in its body. */
static bool form(const struct upstream_token *t, struct str *out, struct str *why)
{
	cleanup_str struct str user = STR_INIT, password = STR_SECRET;

	if (!read_password(t->u->cf, &password, why))
		return false;
	str_puts(&user, t->u->cf->user);
	str_puts(out, "grant_type=password&client_id=berth");
	add_field(out, "service", &t->service);
	add_field(out, "scope", &t->scope);
	add_field(out, "username", &user);
	add_field(out, "password", &password);
	return true;
}

static void get_url(const struct upstream_token *t, struct str *url)
{
	cleanup_str struct str query = STR_INIT;

	add_field(&query, "service", &t->service);
	add_field(&query, "scope", &t->scope);
	str_puts(url, t->realm.buf);
	if (query.len)
		str_addf(url, "%c%s", strchr(url->buf, '?') ? '&' : '?', query.buf);
}

static bool fetch(struct upstream_token *t, struct str *why)
{
	const struct config_upstream *cf = t->u->cf;
	cleanup_str struct str header = STR_SECRET, body = STR_SECRET, url = STR_INIT;
	cleanup_names struct names headers = NAMES_INIT;
	bool login = *cf->user && password_goes(t);
	struct client_call call = {
		.method = t->posted ? "POST" : "GET", .headers = &headers, .ca = cf->ca, .hosts = &cf->realms, .connect_ms = CONNECT_MS,
		.timeout_ms = TIMEOUT_MS, .answer_max = ANSWER_MAX,
	};

	if (t->posted) {
		static const char type[] = "Content-Type: application/x-www-form-urlencoded";

		if (!form(t, &body, why))
			return false;
		names_add(&headers, type, sizeof(type) - 1);
		str_puts(&url, t->realm.buf);
		call.body = body.buf;
		call.body_len = body.len;
	} else {
		if (login && !upstream_basic(cf, &header, why))
			return false;
		if (login)
			names_add(&headers, header.buf, header.len);
		get_url(t, &url);
	}
	/* A realm that the operator did not list is a URL that the upstream has named. */
	if (!login)
		call.named_by = cf->urls.v[t->url];
	call.url = url.buf;
	t->call = client_begin(t->u->us->client, &call, fetched, t);
	for (size_t i = 0; i < headers.count; i++)
		explicit_bzero(headers.v[i], strlen(headers.v[i]));
	return true;
}

/* What a token is asked for: as the challenge has it, if it is about this repository and about pulling alone. */
static void set_scope(struct upstream_token *t, const char *asked)
{
	size_t len = strlen(asked);

	str_reset(&t->scope);
	if (strncmp(asked, "repository:", 11) == 0 && !strchr(asked, ' ') && !strchr(asked, ',') && len > 5 && strcmp(asked + len - 5, ":pull") == 0)
		str_puts(&t->scope, asked);
	else
		str_addf(&t->scope, "repository:%s:pull", t->name);
}

bool token_want(struct upstream_ask *a, const struct login_challenge *c)
{
	struct upstream_token *t = find_or_make(a);

	if (!t->call) {
		t->posted = false;
		str_reset(&t->text);
		str_reset(&t->service);
		str_puts(&t->service, c->service.buf);
		set_scope(t, c->scope.buf);
		if (!login_realm(c->realm.buf, a->u->cf->urls.v[a->url], &t->realm)) {
			str_addf(&a->why, "the realm %s is no URL of http or https", c->realm.buf);
			return false;
		}
		if (!fetch(t, &a->why))
			return false;
	}
	a->token = t;
	a->next = t->waiting;
	a->link = &t->waiting;
	if (a->next)
		a->next->link = &a->next;
	t->waiting = a;
	return true;
}
