/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge: composing WWW-Authenticate.
 *
 * Owns nothing. Invariant: each value is quoted; from the request, only a valid host gets into the URL of the token service.
 */
#include "auth/challenge.h"

#include <string.h>

#include "base/network.h"

#define HOST_MAX 255

/* RFC 3986, 3.2.2, as far as registries use it: a name, an IPv4 address or an IPv6 address in brackets, and a port. */
static bool host_ok(const char *s)
{
	size_t len;

	if (!s || strlen(s) > HOST_MAX)
		return false;
	if (*s == '[') {
		len = 1 + strspn(s + 1, "0123456789abcdefABCDEF:.");
		if (len == 1 || s[len++] != ']')
			return false;
	} else {
		len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
		if (len == 0)
			return false;
	}
	if (s[len] != ':')
		return s[len] == '\0';
	s += len + 1;
	len = strspn(s, "0123456789");
	return len > 0 && len <= 5 && s[len] == '\0';
}

static bool is_scheme(const char *s)
{
	return s && (strcmp(s, "http") == 0 || strcmp(s, "https") == 0);
}

/* The URL of the token service; false if it is unknown. */
static bool add_realm(const struct config *cfg, const struct challenge *c, struct str *out)
{
	const struct config_auth *a = &cfg->auth;
	const char *scheme = is_scheme(c->scheme) ? c->scheme : "http";

	if (config_foreign_tokens(cfg)) {
		str_puts(out, a->foreign.realm);
	} else if (a->token.realm[0]) {
		str_puts(out, a->token.realm);
	} else {
		if (!host_ok(c->host))
			return false;
		if (is_scheme(c->forwarded) && network_list_has(a->token.proxies, c->remote))
			scheme = c->forwarded;
		str_addf(out, "%s://%s/v2/token", scheme, c->host);
	}
	return true;
}

void challenge_add(const struct config *cfg, const struct challenge *c, struct str *out)
{
	cleanup_str struct str realm = STR_INIT, scope = STR_INIT;
	bool foreign = config_foreign_tokens(cfg);

	if (c->password || !(foreign || config_issues_tokens(cfg)) || !add_realm(cfg, c, &realm)) {
		str_puts(out, "Basic realm=");
		scope_add_quoted(out, cfg->auth.realm);
		return;
	}
	str_puts(out, "Bearer realm=");
	scope_add_quoted(out, realm.buf);
	str_puts(out, ",service=");
	scope_add_quoted(out, foreign ? cfg->auth.foreign.service : cfg->auth.token.service);
	if (c->scopes && c->scopes->count) {
		scopes_add_text(&scope, c->scopes);
		str_puts(out, ",scope=");
		scope_add_quoted(out, scope.buf);
	}
	if (c->error) {
		str_puts(out, ",error=");
		scope_add_quoted(out, c->error);
	}
}
