/* SPDX-License-Identifier: Apache-2.0 */
/*
 * challenge: composing WWW-Authenticate.
 *
 * Owns nothing. Invariant: each value is quoted; a host in the URL of the token service
 * has been validated by the caller.
 */
#include "auth/challenge.h"

#include <string.h>

/* The URL of the token service; false if it is unknown. */
static bool add_realm(const struct config *cfg, const struct challenge *c, struct str *out)
{
	const struct config_auth *a = &cfg->auth;

	if (config_foreign_tokens(cfg)) {
		str_puts(out, a->foreign.realm);
	} else if (a->token.realm[0]) {
		str_puts(out, a->token.realm);
	} else if (cfg->host[0]) {
		str_addf(out, "%s%s/v2/token", cfg->host, cfg->prefix);
	} else if (c->host) {
		str_addf(out, "%s://%s%s/v2/token", c->scheme, c->host, cfg->prefix);
	}
	/* The names in scopes are those that the client has, and the service may be at another host. */
	if (out->len && c->space && !config_foreign_tokens(cfg))
		str_addf(out, "%cns=%s", strchr(out->buf, '?') ? '&' : '?', c->space);
	return out->len > 0;
}

void challenge_add(const struct config *cfg, const struct challenge *c, struct str *out)
{
	cleanup_str struct str realm = STR_INIT, scope = STR_INIT;
	bool foreign = config_foreign_tokens(cfg);

	if (c->password || !(foreign || config_issues_tokens(cfg)) || !add_realm(cfg, c, &realm)) {
		str_puts(out, "Basic realm=");
		scope_add_quoted(out, cfg->auth.realm);
		str_puts(out, ",charset=\"UTF-8\"");  /* RFC 7617, 2.1 */
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
