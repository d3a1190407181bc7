/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_conf: the group "auth" as a whole: which ways to log in it configures.
 *
 * Owns nothing. A part of `config`.
 */
#include "conf/auth_conf.h"

#include <stdlib.h>
#include <string.h>

static bool names_everybody(const struct config_auth *a)
{
	for (size_t i = 0; i < a->nrules; i++)
		for (size_t j = 0; j < a->rules[i].who.count; j++)
			if (strcmp(a->rules[i].who.v[j], "@anonymous") == 0)
				return true;
	return false;
}

bool config_login(const struct config *c)
{
	return c->auth.htpasswd[0] || c->auth.robots[0] || c->auth.remote_user || config_foreign_tokens(c);
}

bool config_foreign_tokens(const struct config *c)
{
	return c->auth.on && c->auth.foreign.realm[0];
}

bool config_issues_tokens(const struct config *c)
{
	const struct config_auth *a = &c->auth;

	if (!a->on || !a->htpasswd[0] || config_foreign_tokens(c))
		return false;
	if (a->token.enabled == TOKENS_AUTO)
		return !a->remote_user && names_everybody(a);
	return a->token.enabled == TOKENS_ON;
}

bool config_sessions(const struct config *c)
{
	return c->page && c->auth.on && c->auth.htpasswd[0] && !c->auth.remote_user;
}

void config_token_key(const struct config *c, struct str *out)
{
	if (c->auth.token.key[0])
		str_puts(out, c->auth.token.key);
	else
		str_addf(out, "%s/berth/token.key", strcmp(c->root, "/") == 0 ? "" : c->root);
}

/*
 * A fault of the whole group. Only berth.conf has all settings; the others have those of registry:2, and the variables no line.
 * variable  the group of variables, such as "REGISTRY_AUTH"
 */
static void group_fault(const struct config_auth *a, struct faults *f, const char *variable, const char *by_other, const char *by_file)
{
	if (a->line) {
		str_puts(fault(f, a->line), by_file);
		return;
	}
	str_addf(f->msg, "%s%s: %s", f->msg->len ? "\n" : "", a->where ? a->where : variable, by_other);
	f->rc = -1;
}

static void check_foreign(const struct config_auth *a, struct faults *f)
{
	static const char both[] = "\"auth.token.enabled\" is \"on\" beside \"auth.foreign\"; there can be only one token service";
	static const char no_password[] = "\"auth.token.enabled\" is \"on\" without \"auth.htpasswd\": nobody could get a token by password";
	const struct config_foreign *t = &a->foreign;
	bool any = t->realm[0] || t->service[0] || t->issuer[0] || t->bundle[0] || t->jwks[0];

	if (any && !(t->realm[0] && t->service[0] && t->issuer[0] && (t->bundle[0] || t->jwks[0])))
		group_fault(a, f, "REGISTRY_AUTH_TOKEN", a->where ?
			    "a foreign token service needs auth.token.realm, .service, .issuer, and .rootcertbundle or .jwks" :
			    "a foreign token service needs _REALM, _SERVICE, _ISSUER, and _ROOTCERTBUNDLE or _JWKS",
			    "\"auth.foreign\" needs realm, service, issuer, and bundle or jwks");
	else if (any && a->token.enabled == TOKENS_ON)
		group_fault(a, f, "REGISTRY_AUTH_TOKEN", both, both);
	if (a->token.enabled == TOKENS_ON && !a->htpasswd[0])
		group_fault(a, f, "REGISTRY_AUTH", no_password, no_password);
}

int auth_conf_check(const struct config *c, struct str *warn, struct str *msg)
{
	const struct config_auth *a = &c->auth;
	struct faults f = { .file = c->file, .msg = msg };

	auth_lists_check(a, &f);
	if (!a->on)
		return f.rc;
	check_foreign(a, &f);
	if (f.rc == 0 && !config_login(c) && !names_everybody(a))
		group_fault(a, &f, "REGISTRY_AUTH", a->where ?
			    "nobody could log in; set auth.htpasswd.path, or auth.token.realm and what goes with it" :
			    "nobody could log in; set REGISTRY_AUTH_HTPASSWD_PATH, or REGISTRY_AUTH_TOKEN_REALM and what goes with it",
			    "nobody could log in, and no rule names \"@anonymous\"; set \"auth.htpasswd\"");
	if (warn && config_login(c) && names_everybody(a) && !config_issues_tokens(c) && !config_foreign_tokens(c))
		str_addf(warn, "%sauth.access names \"@anonymous\", but docker cannot pull without a login if auth.token is off and "
			 "there are logins by password: it needs a token", warn->len ? "\n" : "");
	return f.rc;
}

void auth_conf_release(struct config_auth *a)
{
	auth_lists_release(a);
	free(a->where);
	free(a->realm);
	free(a->htpasswd);
	free(a->robots);
	free(a->token.realm);
	free(a->token.service);
	free(a->token.key);
	free(a->token.proxies);
	free(a->foreign.realm);
	free(a->foreign.service);
	free(a->foreign.issuer);
	free(a->foreign.bundle);
	free(a->foreign.jwks);
}
