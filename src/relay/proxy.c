/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proxy: reads https_proxy, no_proxy and the like.
 *
 * Owns nothing. libcurl reads the same variables, but does not tell before it connects whether an address is a proxy's, which is not
 * checked, or the host's. So they are read here, and libcurl is told.
 */
#include "relay/proxy.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/network.h"
#include "relay/address.h"

#define ENTRY_MAX 255

static const char *variable(const char *name, const char *other)
{
	const char *value = getenv(name);

	if (!value || !*value)
		value = other ? getenv(other) : NULL;
	return value && *value ? value : NULL;
}

/* One name of no_proxy: "example.com" and ".example.com" mean this host and those below it. */
static bool name_matches(const char *entry, const char *host)
{
	size_t len, hlen = strlen(host);

	entry += *entry == '.';
	len = strlen(entry);
	if (!len || len > hlen || strcasecmp(host + hlen - len, entry) != 0)
		return false;
	return len == hlen || host[hlen - len - 1] == '.';
}

static bool entry_matches(const char *s, size_t len, const char *host)
{
	char entry[ENTRY_MAX + 1];
	bool public;

	if (!len || len > ENTRY_MAX)
		return false;
	memcpy(entry, s, len);
	entry[len] = '\0';
	if (address_of_host(host, &public))
		return network_list_ok(entry) && network_list_has(entry, host);
	return name_matches(entry, host);
}

static bool excepted(const char *list, const char *host)
{
	static const char between[] = ", \t";

	if (strcmp(list, "*") == 0)
		return true;
	while (*(list += strspn(list, between))) {
		size_t len = strcspn(list, between);

		if (entry_matches(list, len, host))
			return true;
		list += len;
	}
	return false;
}

const char *proxy_for(bool tls, const char *host)
{
	const char *proxy = tls ? variable("https_proxy", "HTTPS_PROXY") : variable("http_proxy", NULL);
	const char *none = variable("no_proxy", "NO_PROXY");

	if (!proxy)
		proxy = variable("all_proxy", "ALL_PROXY");
	return proxy && none && excepted(none, host) ? NULL : proxy;
}
