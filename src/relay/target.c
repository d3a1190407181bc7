/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target: the rules for redirects.
 *
 * Owns nothing. Knows no library: the client has taken the URL apart. What a name resolves to is checked later, at each connection.
 */
#include "relay/target.h"

#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "relay/address.h"

#define PORT_HTTP 80
#define PORT_HTTPS 443

bool target_set(struct target *t, const char *scheme, const char *host, unsigned port)
{
	size_t len = strlen(host);

	*t = (struct target){ .tls = strcasecmp(scheme, "https") == 0, .port = port };
	if (!t->tls && strcasecmp(scheme, "http") != 0)
		return false;
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	len -= len && host[len - 1] == '.';
	if (!len || len > TARGET_HOST_MAX)
		return false;
	memcpy(t->host, host, len);
	return true;
}

static bool same_host(const struct target *a, const struct target *b)
{
	return strcasecmp(a->host, b->host) == 0;
}

static bool listed(const struct names *hosts, const char *host)
{
	for (size_t i = 0; hosts && i < hosts->count; i++)
		if (strcasecmp(hosts->v[i], host) == 0)
			return true;
	return false;
}

bool target_follows(const struct target *first, const struct target *from, const struct target *to, const struct names *hosts, bool *named,
		    struct str *why)
{
	bool public;

	*named = same_host(first, to) || listed(hosts, to->host);
	if (from->tls && !to->tls)
		str_addf(why, "a redirect from https to http, to %s, is not followed", to->host);
	/* A proxy would connect to it, where no address can be checked. */
	else if (!*named && address_of_host(to->host, &public) && !public)
		str_addf(why, "a redirect leads to %s, which is no public address; `hosts` may list it", to->host);
	else
		return true;
	return false;
}

bool target_trusted(const struct target *first, const struct target *to)
{
	if (!same_host(first, to))
		return false;
	if (first->tls == to->tls)
		return first->port == to->port;
	return to->tls && first->port == PORT_HTTP && to->port == PORT_HTTPS;
}

bool target_public_header(const char *header)
{
	static const char *const names[] = { "Accept:", "Berth-Signature:", "Content-Type:", "Range:", "User-Agent:" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strncasecmp(header, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}
