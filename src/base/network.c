/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network: whether an address is in a list of networks, and what a host is.
 *
 * Owns nothing.
 */
#include "base/network.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

#define TEXT_MAX 64     /* more than any address with a prefix length */

struct address {
	int family;             /* 0: invalid */
	unsigned bits;
	unsigned char bytes[16];
};

static struct address parse(const char *s)
{
	struct address a = { .family = AF_INET, .bits = 32 };

	if (inet_pton(AF_INET, s, a.bytes) == 1)
		return a;
	a = (struct address){ .family = AF_INET6, .bits = 128 };
	if (inet_pton(AF_INET6, s, a.bytes) != 1)
		a.family = 0;
	return a;
}

/* Parses "ADDRESS" or "ADDRESS/BITS"; returns family 0 if it is neither. */
static struct address parse_network(const char *s, size_t len)
{
	char text[TEXT_MAX + 1];
	struct address a = { 0 };
	uint64_t bits;
	char *slash;

	if (len > TEXT_MAX)
		return a;
	memcpy(text, s, len);
	text[len] = '\0';
	slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	a = parse(text);
	if (!slash || !a.family)
		return a;
	if (str_parse_u64(slash + 1, strlen(slash + 1), &bits) < 0 || bits > a.bits)
		a.family = 0;
	a.bits = (unsigned)bits;
	return a;
}

static bool has(const struct address *net, const struct address *a)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	return net->family == a->family && memcmp(net->bytes, a->bytes, whole) == 0 &&
	       (!rest || (net->bytes[whole] ^ a->bytes[whole]) >> (8 - rest) == 0);
}

bool network_list_ok(const char *list)
{
	while (*list) {
		size_t len = strcspn(list, ",");

		if (!parse_network(list, len).family || (list[len] == ',' && !list[len + 1]))
			return false;
		list += len + (list[len] == ',');
	}
	return true;
}

bool network_list_has(const char *list, const char *address)
{
	struct address a = parse(address);

	while (a.family && *list) {
		size_t len = strcspn(list, ",");
		struct address net = parse_network(list, len);

		if (has(&net, &a))
			return true;
		list += len + (list[len] == ',');
	}
	return false;
}

#define HOST_MAX 255

bool network_host_ok(const char *s)
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

bool network_host_direct(const char *s)
{
	size_t skip = *s == '[', len = strcspn(s + skip, skip ? "]" : ":");
	char text[TEXT_MAX + 1];

	if (len > TEXT_MAX)
		return false;
	memcpy(text, s + skip, len);
	text[len] = '\0';
	return strcasecmp(text, "localhost") == 0 || parse(text).family;
}
