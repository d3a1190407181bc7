/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address: public addresses, by the registries of special-purpose addresses (RFC 6890).
 *
 * Owns nothing. Of IPv6 only 2000::/3 is assigned to hosts: what lies elsewhere is refused without being listed, such as ::1, fe80::/10,
 * fc00::/7, ff00::/8, the mapped ::ffff:0:0/96 and NAT64's 64:ff9b::/96.
 */
#include "relay/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/network.h"

static const char never4[] = "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,127.0.0.0/8,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.0.2.0/24,"
			     "192.88.99.0/24,192.168.0.0/16,198.18.0.0/15,198.51.100.0/24,203.0.113.0/24,224.0.0.0/3";

/* Within 2000::/3: protocols (with Teredo), documentation, 6to4. */
static const char never6[] = "2001::/23,2001:db8::/32,2002::/16,3fff::/20";

static bool text_public(const char *text, int family)
{
	if (family == AF_INET)
		return !network_list_has(never4, text);
	return network_list_has("2000::/3", text) && !network_list_has(never6, text);
}

bool address_public(const struct sockaddr *sa)
{
	char text[INET6_ADDRSTRLEN];
	struct sockaddr_in6 v6;
	struct sockaddr_in v4;

	if (sa->sa_family == AF_INET) {
		memcpy(&v4, sa, sizeof(v4));
		return inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text)) && text_public(text, AF_INET);
	}
	if (sa->sa_family != AF_INET6)
		return false;
	memcpy(&v6, sa, sizeof(v6));
	return inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text)) && text_public(text, AF_INET6);
}

bool address_of_host(const char *host, bool *public)
{
	unsigned char bytes[16];
	int family = inet_pton(AF_INET, host, bytes) == 1 ? AF_INET : inet_pton(AF_INET6, host, bytes) == 1 ? AF_INET6 : AF_UNSPEC;

	*public = family != AF_UNSPEC && text_public(host, family);
	return family != AF_UNSPEC;
}
