/* SPDX-License-Identifier: Apache-2.0 */
/* address, proxy and target: which hosts a request may reach. */
#include "tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "relay/address.h"
#include "relay/proxy.h"
#include "relay/target.h"

static const char *const public[] = {
	"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.1", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
	"169.255.0.1", "172.15.255.255", "172.32.0.1", "192.0.1.1", "192.167.255.255", "192.169.0.1", "198.17.255.255", "198.20.0.1",
	"223.255.255.255", "2000::1", "2606:4700:4700::1111", "2a00:1450:4001::1", "2001:200::1", "2003::1", "3ffe:ffff::1",
};

static const char *const others[] = {
	"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254", "169.254.0.1",
	"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1",
	"198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
	"::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::1", "100::1",
	"2001::1", "2001:db8::1", "2002:7f00:1::1", "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "fec0::1", "ff02::1",
};

static bool is_public(const char *text)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
		return address_public((const struct sockaddr *)&v4);
	ok(inet_pton(AF_INET6, text, &v6.sin6_addr) == 1, "%s is an address", text);
	return address_public((const struct sockaddr *)&v6);
}

static void test_addresses(void)
{
	const struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	bool is;

	for (size_t i = 0; i < ARRAY_LEN(public); i++) {
		ok(is_public(public[i]), "%s is public", public[i]);
		ok(address_of_host(public[i], &is) && is, "and as a host");
	}
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		ok(!is_public(others[i]), "%s is not public", others[i]);
		ok(address_of_host(others[i], &is) && !is, "nor as a host");
	}
	ok(!address_public(&unix_socket), "a Unix socket is not public");
	ok(!address_of_host("example.com", &is) && !is, "a name is no address");
	ok(!address_of_host("127.1", &is), "nor is a short form");
}

static void test_proxy(void)
{
	static const struct {
		const char *none, *host;
		bool direct;
	} cases[] = {
		{ "example.com", "example.com", true }, { "example.com", "EXAMPLE.com", true }, { "example.com", "a.example.com", true },
		{ ".example.com", "example.com", true }, { "example.com", "badexample.com", false }, { "a.example.com", "example.com", false },
		{ "*", "example.com", true }, { "a, b,example.com", "example.com", true }, { "", "example.com", false },
		{ "10.0.0.0/8", "10.1.2.3", true }, { "10.0.0.0/8", "11.1.2.3", false }, { "::1", "::1", true }, { "1.2.3.4", "11.2.3.4", false },
		{ ".", "example.com", false },
	};

	setenv("http_proxy", "http://p:1", 1);
	setenv("HTTP_PROXY", "http://wrong:1", 1);
	setenv("HTTPS_PROXY", "http://q:2", 1);
	is_str(proxy_for(false, "h"), "http://p:1", "http_proxy is for http");
	is_str(proxy_for(true, "h"), "http://q:2", "HTTPS_PROXY is for https");
	setenv("https_proxy", "http://r:3", 1);
	is_str(proxy_for(true, "h"), "http://r:3", "https_proxy precedes it");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		setenv("no_proxy", cases[i].none, 1);
		ok(!proxy_for(true, cases[i].host) == cases[i].direct, "no_proxy \"%s\": %s %s", cases[i].none, cases[i].host,
		   cases[i].direct ? "is reached without a proxy" : "by the proxy");
	}
	unsetenv("http_proxy");
	unsetenv("https_proxy");
	unsetenv("HTTPS_PROXY");
	ok(!proxy_for(false, "h"), "HTTP_PROXY does not count");
	setenv("ALL_PROXY", "socks5h://s:4", 1);
	is_str(proxy_for(true, "h"), "socks5h://s:4", "ALL_PROXY is for the rest");
}

static struct target target(const char *scheme, const char *host, unsigned port)
{
	struct target t;

	ok(target_set(&t, scheme, host, port), "%s://%s:%u is a target", scheme, host, port);
	return t;
}

static void test_redirects(void)
{
	struct target first = target("https", "hook.example", 443), plain = target("http", "127.0.0.1", 8080), t;
	cleanup_names struct names hosts = NAMES_INIT;
	cleanup_str struct str why = STR_INIT;
	bool named;

	names_add(&hosts, "10.0.0.7", 8);
	t = target("https", "HOOK.example.", 8443);
	ok(target_follows(&first, &first, &t, NULL, &named, &why) && named, "the same host is followed to, on another port, too");
	ok(!target_trusted(&first, &t), "but gets no credentials there");
	t = target("https", "other.example", 443);
	ok(target_follows(&first, &first, &t, NULL, &named, &why) && !named, "another name is followed to, if its address is public");
	ok(!target_trusted(&first, &t), "without credentials");
	t = target("http", "hook.example", 80);
	ok(!target_follows(&first, &first, &t, NULL, &named, &why), "from https to http is not");
	t = target("https", "[::1]", 443);
	ok(!target_follows(&first, &first, &t, &hosts, &named, &why), "an address that is not public is not");
	t = target("https", "10.0.0.7", 443);
	ok(target_follows(&first, &first, &t, &hosts, &named, &why) && named, "unless it is listed");
	ok(!target_trusted(&first, &t), "a listed host gets no credentials");
	t = target("http", "127.0.0.1", 8080);
	ok(target_follows(&plain, &plain, &t, NULL, &named, &why) && named, "or was written down");
	ok(target_trusted(&plain, &t), "which gets the credentials");
	first = target("http", "hook.example", 80);
	t = target("https", "hook.example", 443);
	ok(target_trusted(&first, &t), "from http to https of the same host, credentials go along");
	ok(!target_trusted(&t, &first), "not the other way");
	ok(!target_set(&t, "ftp", "a", 21) && !target_set(&t, "file", "", 0) && !target_set(&t, "http", "", 80) && !target_set(&t, "http", ".", 80),
	   "other schemes and empty hosts are no targets");
	ok(target_public_header("content-type: a") && target_public_header("Berth-Signature: a") && !target_public_header("Authorization: a") && !target_public_header("X-Token: a"),
	   "only headers that say what the body is are for everybody");
}

int main(void)
{
	test_addresses();
	test_proxy();
	test_redirects();
	return done_testing();
}
