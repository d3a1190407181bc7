/* SPDX-License-Identifier: Apache-2.0 */
/*
 * env: the REGISTRY_* variables of registry:2.
 *
 * Owns the lists of variables that are honoured and that are refused, and the form of their values (YAML scalars).
 * Rule: an operator must never believe that an open registry is closed. So a variable about logins, TLS, proxying or
 * another storage driver is refused; one warning names all others. Messages never repeat values: some are secrets.
 */

#include "conf/env.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"
#include "conf/key.h"

enum form { FORM_BOOL, FORM_TEXT, FORM_LOWER, FORM_ENABLED, FORM_DRIVER, FORM_AUTH };

/* The honoured variables. If two set one key the last one wins, so the more specific one is last. */
static const struct variable {
	const char *name, *key;
	enum form form;
} variables[] = {
	{ "REGISTRY_STORAGE", NULL, FORM_DRIVER },
	{ "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "root", FORM_TEXT },
	{ "REGISTRY_STORAGE_DELETE_ENABLED", "delete", FORM_BOOL },
	{ "REGISTRY_STORAGE_MAINTENANCE_READONLY", "readonly", FORM_ENABLED },
	{ "REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED", "readonly", FORM_BOOL },
	{ "REGISTRY_LOG_LEVEL", "log.level", FORM_LOWER },
	{ "REGISTRY_AUTH", NULL, FORM_AUTH },
	{ "REGISTRY_AUTH_HTPASSWD_REALM", "auth.realm", FORM_TEXT },
	{ "REGISTRY_AUTH_HTPASSWD_PATH", "auth.htpasswd", FORM_TEXT },
	{ "REGISTRY_AUTH_TOKEN_REALM", "auth.foreign.realm", FORM_TEXT },
	{ "REGISTRY_AUTH_TOKEN_SERVICE", "auth.foreign.service", FORM_TEXT },
	{ "REGISTRY_AUTH_TOKEN_ISSUER", "auth.foreign.issuer", FORM_TEXT },
	{ "REGISTRY_AUTH_TOKEN_ROOTCERTBUNDLE", "auth.foreign.bundle", FORM_TEXT },
	{ "REGISTRY_AUTH_TOKEN_JWKS", "auth.foreign.jwks", FORM_TEXT },
};

#define AUTH "REGISTRY_AUTH"
#define NO_DRIVER "only the filesystem is supported as storage driver; unset it"

static const struct refusal {
	const char *prefix, *why;
} refusals[] = {
	{ "REGISTRY_AUTH", "only logins by htpasswd and tokens are supported; unset it only if the registry is closed without it" },
	{ "REGISTRY_HTTP_TLS", "nginx does TLS; configure it there and unset the variable" },
	{ "REGISTRY_PROXY", "a pull-through cache is not supported; unset it" },
	{ "REGISTRY_STORAGE_S3", NO_DRIVER },
	{ "REGISTRY_STORAGE_GCS", NO_DRIVER },
	{ "REGISTRY_STORAGE_AZURE", NO_DRIVER },
	{ "REGISTRY_STORAGE_SWIFT", NO_DRIVER },
	{ "REGISTRY_STORAGE_OSS", NO_DRIVER },
	{ "REGISTRY_STORAGE_INMEMORY", NO_DRIVER },
};

/* lookup - the value of a variable; NULL if it is unset or empty */
static const char *lookup(char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return (*env)[len + 1] ? *env + len + 1 : NULL;
	return NULL;
}

static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* trimmed - a copy without surrounding white space, which YAML ignores */
static char *trimmed(const char *text)
{
	size_t len;

	text = skip_space(text);
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]))
		len--;
	return xstrndup(text, len);
}

/* parse_bool - the forms of YAML 1.1 and of Go's strconv.ParseBool, in any case */
static int parse_bool(const char *text, bool *out)
{
	static const char *const yes[] = { "true", "t", "yes", "y", "on", "1" };
	static const char *const no[] = { "false", "f", "no", "n", "off", "0" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(text, yes[i]) != 0 && strcasecmp(text, no[i]) != 0)
			continue;
		*out = strcasecmp(text, yes[i]) == 0;
		return 0;
	}
	return -1;
}

/*
 * parse_enabled - a map with the single member "enabled", in JSON or YAML flow style: {"enabled":true}, {enabled: true}
 *
 * Anything else is refused, so this needs no full parser.
 */
static int parse_enabled(const char *text, bool *out)
{
	cleanup_free char *rest = NULL, *word = NULL;
	const char *p = text, *end = text + strlen(text);
	char quote = '\0';

	*out = false;
	if (*p != '{' || end == p + 1 || end[-1] != '}')
		return -1;
	p = skip_space(p + 1);
	if (*p == '"' || *p == '\'')
		quote = *p++;
	if (strncmp(p, "enabled", strlen("enabled")) != 0)
		return -1;
	p += strlen("enabled");
	if (quote && *p++ != quote)
		return -1;
	p = skip_space(p);
	if (*p != ':')
		return -1;
	rest = xstrndup(p + 1, (size_t)(end - 1 - (p + 1)));
	word = trimmed(rest);
	return parse_bool(word, out);
}

/* apply - set the key of one variable; 0, or -1 with a line in msg */
static int apply(struct config *c, const struct variable *v, const char *value, struct str *msg)
{
	const struct key *k = v->key ? key_find(v->key) : NULL;
	cleanup_free char *text = trimmed(value);
	bool on;

	if (k)
		key_mark_given(c, k);
	if (strncmp(v->name, AUTH, strlen(AUTH)) == 0)
		c->auth.on = true;
	switch (v->form) {
	case FORM_AUTH:
		if (strcmp(text, "htpasswd") == 0 || strcmp(text, "token") == 0)
			return 0;
		str_addf(msg, "%s" AUTH ": must be htpasswd or token; no other kind of login is supported", msg->len ? "\n" : "");
		return -1;
	case FORM_DRIVER:
		if (strcmp(text, "filesystem") == 0)
			return 0;
		str_addf(msg, "%s%s: " NO_DRIVER, msg->len ? "\n" : "", v->name);
		return -1;
	case FORM_BOOL:
		if (parse_bool(text, &on) == 0)
			return key_set_bool(c, k, on);
		break;
	case FORM_ENABLED:
		if (parse_enabled(text, &on) == 0)
			return key_set_bool(c, k, on);
		break;
	case FORM_TEXT:
	case FORM_LOWER:
		for (char *p = text; v->form == FORM_LOWER && *p; p++)
			*p = (char)tolower((unsigned char)*p);
		if (key_set_text(c, k, text) == 0)
			return 0;
		break;
	}
	str_addf(msg, "%s%s: ", msg->len ? "\n" : "", v->name);
	if (v->form == FORM_ENABLED)
		str_puts(msg, "must be {\"enabled\":true} or {\"enabled\":false}");
	else
		key_wants(k, msg);
	return -1;
}

/* add_name - add the name in "NAME=value", after ", " if it is not the first */
static void add_name(struct str *out, const char *entry, bool first)
{
	if (!first)
		str_puts(out, ", ");
	str_add_shown(out, entry, strcspn(entry, "="), SIZE_MAX);
}

static bool is_set(const char *entry)
{
	size_t len = strcspn(entry, "=");

	return strncmp(entry, "REGISTRY_", strlen("REGISTRY_")) == 0 && entry[len] == '=' && entry[len + 1];
}

static bool is_honoured(const char *entry)
{
	size_t len = strcspn(entry, "=");

	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		if (strlen(variables[i].name) == len && strncmp(entry, variables[i].name, len) == 0)
			return true;
	return false;
}

static const char *why_refused(const char *entry)
{
	if (is_honoured(entry))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (strncmp(entry, refusals[i].prefix, strlen(refusals[i].prefix)) == 0)
			return refusals[i].why;
	return NULL;
}

/* refuse - one line for each reason, with the names of the variables; -1 if there are any */
static int refuse(char *const *env, struct str *msg)
{
	const char *last = NULL;
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		bool first = true;

		if (last == refusals[i].why)
			continue;
		last = refusals[i].why;
		for (char *const *p = env; p && *p; p++) {
			if (!is_set(*p) || why_refused(*p) != last)
				continue;
			if (first && msg->len)
				str_addc(msg, '\n');
			add_name(msg, *p, first);
			first = false;
		}
		if (!first) {
			str_addf(msg, ": %s", last);
			rc = -1;
		}
	}
	return rc;
}

static void warn_of_others(char *const *env, struct str *warn)
{
	bool first = true;

	for (; env && *env; env++) {
		if (!is_set(*env) || is_honoured(*env) || why_refused(*env))
			continue;
		if (first)
			str_addf(warn, "%snot honoured: ", warn->len ? "\n" : "");
		add_name(warn, *env, first);
		first = false;
	}
}

int env_apply(struct config *c, char *const *env, struct str *warn, struct str *msg)
{
	int rc = refuse(env, msg);

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		const char *value = lookup(env, variables[i].name);

		if (value && apply(c, &variables[i], value, msg) < 0)
			rc = -1;
	}
	if (warn)
		warn_of_others(env, warn);
	return rc;
}

void env_names(const char *key, struct str *out)
{
	bool first = true;

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		if (!variables[i].key || strcmp(variables[i].key, key) != 0)
			continue;
		str_addf(out, "%s%s", first ? "\tvariables: " : ", ", variables[i].name);
		first = false;
	}
	if (!first)
		str_addc(out, '\n');
}
