/* SPDX-License-Identifier: Apache-2.0 */
/*
 * login: challenges and tokens as text.
 *
 * Owns nothing. Invariant: nothing of what it gives out is longer than its bound, or has bytes that end a header or a line.
 */
#include "relay/login.h"

#include <string.h>
#include <strings.h>

#include "base/json_check.h"
#include "base/json_view.h"
#include "relay/client.h"
#include "relay/target.h"

#define VALID_LEAST 60          /* seconds; a service that does not say how long means this */
#define VALID_MOST 3600

void login_challenge_release(struct login_challenge *c)
{
	str_release(&c->realm);
	str_release(&c->service);
	str_release(&c->scope);
}

/* --- a header, word by word */

static bool is_token(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static size_t token_len(const char *p)
{
	size_t n = 0;

	while (is_token((unsigned char)p[n]))
		n++;
	return n;
}

/* A value, with or without quotes; *p moves behind it. False if a quote is not closed. */
static bool read_value(const char **p, struct str *out)
{
	str_reset(out);
	if (**p != '"') {
		size_t n = strcspn(*p, ", \t");

		str_add(out, *p, n);
		*p += n;
		return true;
	}
	for ((*p)++; **p && **p != '"'; (*p)++) {
		if (**p == '\\' && (*p)[1])
			(*p)++;
		str_addc(out, **p);
	}
	if (**p != '"')
		return false;
	(*p)++;
	return true;
}

static bool fit(const struct str *s, size_t max)
{
	if (s->len > max)
		return false;
	for (size_t i = 0; i < s->len; i++)
		if ((unsigned char)s->buf[i] < ' ' || s->buf[i] == 0x7f)
			return false;
	return true;
}

static void take(struct str *to, const struct str *value, size_t max)
{
	if (!to->len && fit(value, max))
		str_puts(to, value->buf);
}

static void parameter(struct login_challenge *one, const char *name, size_t len, const struct str *value)
{
	if (len == 5 && strncasecmp(name, "realm", len) == 0)
		take(&one->realm, value, LOGIN_REALM_MAX);
	else if (len == 7 && strncasecmp(name, "service", len) == 0)
		take(&one->service, value, LOGIN_SERVICE_MAX);
	else if (len == 5 && strncasecmp(name, "scope", len) == 0)
		take(&one->scope, value, LOGIN_SCOPE_MAX);
}

/* A challenge has ended. */
static void settle(struct login_challenge *c, struct login_challenge *one)
{
	bool better = one->kind > c->kind && (one->kind != LOGIN_BEARER || one->realm.len);

	if (better) {
		struct login_challenge old = *c;

		*c = *one;
		*one = old;
	}
	login_challenge_release(one);
	*one = (struct login_challenge)LOGIN_CHALLENGE_INIT;
}

void login_challenge_add(struct login_challenge *c, const char *header)
{
	cleanup_challenge struct login_challenge one = LOGIN_CHALLENGE_INIT;
	cleanup_str struct str value = STR_INIT;
	const char *p = header;

	while (*(p += strspn(p, ", \t"))) {
		const char *word = p;
		size_t len = token_len(p);

		if (!len)
			break;
		p += len;
		p += strspn(p, " \t");
		if (*p != '=') {
			settle(c, &one);
			one.kind = len == 6 && strncasecmp(word, "Bearer", len) == 0 ? LOGIN_BEARER :
				   len == 5 && strncasecmp(word, "Basic", len) == 0  ? LOGIN_BASIC : LOGIN_NONE;
			continue;
		}
		p++;
		p += strspn(p, " \t");
		if (!read_value(&p, &value))
			break;
		parameter(&one, word, len, &value);
	}
	settle(c, &one);
}

/* --- the realm and its answer */

bool login_realm(const char *realm, const char *registry, struct str *out)
{
	struct target t;

	str_reset(out);
	if (realm[0] == '/' && realm[1] != '/') {
		if (!client_target(registry, &t))
			return false;
		str_addf(out, strchr(t.host, ':') ? "%s://[%s]:%u%s" : "%s://%s:%u%s", t.tls ? "https" : "http", t.host, t.port, realm);
	} else {
		str_puts(out, realm);
	}
	return client_target(out->buf, &t);
}

static bool token_fit(const struct str *token)
{
	for (size_t i = 0; i < token->len; i++)
		if ((unsigned char)token->buf[i] <= ' ' || (unsigned char)token->buf[i] >= 0x7f)
			return false;
	return token->len && token->len <= LOGIN_TOKEN_MAX;
}

bool login_token(const char *body, size_t len, struct str *token, uint64_t *seconds)
{
	static const char *const names[] = { "token", "access_token" };
	struct json_view o, v;
	struct json_fault f;

	str_reset(token);
	*seconds = VALID_LEAST;
	if (json_check(body, len, &f) < 0)
		return false;
	o = json_view_of(body, len);
	for (size_t i = 0; i < 2 && !token->len; i++) {
		v = json_view_get(o, names[i]);
		if (v.kind == JSON_STRING)
			json_view_text(v, token);
	}
	if (!token_fit(token)) {
		str_reset(token);
		return false;
	}
	json_view_u64(json_view_get(o, "expires_in"), seconds);
	*seconds = *seconds < VALID_LEAST ? VALID_LEAST : *seconds > VALID_MOST ? VALID_MOST : *seconds;
	return true;
}
