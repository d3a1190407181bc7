/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream: which of the configured upstreams a repository mirrors, and which one a request is for.
 *
 * Owns the meaning of names and name spaces. Knows nothing of the forms in which files have the list: upstreams_read and moved_proxy do.
 */
#include "conf/upstream.h"

#include <string.h>
#include <strings.h>

#include "base/pattern.h"
#include "conf/config.h"

#define HUB_NAME "docker.io"
#define HUB_URL "https://registry-1.docker.io"

/* Of several whose names begin alike the longest name counts: "ghcr.io/our" before "ghcr.io". */
const struct config_upstream *upstream_of(const struct config *c, const struct name *n, const char **rest)
{
	const struct config_upstream *best = NULL;
	size_t longest = 0;

	if (rest)
		*rest = n->s;
	for (size_t i = 0; i < c->nupstreams; i++) {
		const struct config_upstream *u = &c->upstreams[i];
		size_t len = strlen(u->name);

		if (u->whole)
			return u;
		if (n->len < len || memcmp(n->s, u->name, len) != 0 || (n->s[len] && n->s[len] != '/') || len <= longest)
			continue;
		best = u;
		longest = len;
	}
	if (best && rest)
		*rest = n->s + longest + (n->s[longest] == '/');
	return best;
}

bool upstream_is_hub(const struct config_upstream *u)
{
	return strcmp(u->name, HUB_NAME) == 0 || (u->urls.count && strcmp(u->urls.v[0], HUB_URL) == 0);
}

bool upstream_allows(const struct config_upstream *u, const char *rest)
{
	if (!*rest)
		return false;
	for (size_t i = 0; i < u->allow.count; i++)
		if (pattern_match(u->allow.v[i], rest, strlen(rest)))
			return true;
	return !u->allow.count;
}

/* The length of a Host without its port: of "[::1]:5000" that of "[::1]". */
static size_t without_port(const char *host)
{
	const char *colon = strrchr(host, ':'), *bracket = strrchr(host, ']');

	if (!colon || (bracket && bracket > colon) || (!bracket && strchr(host, ':') != colon))
		return strlen(host);
	return (size_t)(colon - host);
}

/* Whether the name is that of the host, with its port or without. */
static bool is_host(const char *name, const char *host)
{
	size_t len = without_port(host);

	return strcasecmp(name, host) == 0 || (strlen(name) == len && strncasecmp(name, host, len) == 0);
}

static bool is_among(const struct names *list, const char *host)
{
	for (size_t i = 0; i < list->count; i++)
		if (is_host(list->v[i], host))
			return true;
	return false;
}

static const struct config_upstream *at_host(const struct config *c, const char *host)
{
	for (size_t i = 0; host && i < c->nupstreams; i++)
		if (is_among(&c->upstreams[i].hosts, host))
			return &c->upstreams[i];
	return NULL;
}

static const struct config_upstream *called(const struct config *c, const char *ns)
{
	for (size_t i = 0; i < c->nupstreams; i++)
		if (strcasecmp(c->upstreams[i].name, ns) == 0)
			return &c->upstreams[i];
	return NULL;
}

int upstream_space(const struct config *c, const char *host, const char *ns, const struct config_upstream **out)
{
	const struct config_upstream *at, *named;

	*out = NULL;
	if (!c->nupstreams || c->upstreams[0].whole)
		return 0;
	at = at_host(c, host);
	*out = at;
	if (!ns || !*ns || (host && is_host(ns, host)))
		return 0;
	named = called(c, ns);
	if (named && (!at || at == named)) {
		*out = named;
		return 0;
	}
	*out = NULL;
	return !named && !at && is_among(&c->own, ns) ? 0 : -1;
}
