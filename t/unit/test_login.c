/* SPDX-License-Identifier: Apache-2.0 */
/* login: challenges of all forms, realms, and the answers of token services. */

#include "relay/login.h"

#include <string.h>

#include "tap.h"

static void is_challenge(const char *header, enum login_kind kind, const char *realm, const char *service, const char *scope, const char *title)
{
	cleanup_challenge struct login_challenge c = LOGIN_CHALLENGE_INIT;

	login_challenge_add(&c, header);
	ok(c.kind == kind && strcmp(c.realm.buf, realm) == 0 && strcmp(c.service.buf, service) == 0 && strcmp(c.scope.buf, scope) == 0, "%s", title);
}

static void test_challenges(void)
{
	cleanup_challenge struct login_challenge c = LOGIN_CHALLENGE_INIT;
	cleanup_str struct str longer = STR_INIT;

	is_challenge("Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:a:pull,push\"", LOGIN_BEARER, "https://a/t", "s", "repository:a:pull,push",
		     "a challenge as registries send it");
	is_challenge("bearer  Realm = https://a/t , SERVICE=s", LOGIN_BEARER, "https://a/t", "s", "", "any case, blanks, no quotes");
	is_challenge("Basic realm=\"x\", Bearer realm=\"/t\"", LOGIN_BEARER, "/t", "", "", "of two the better one");
	is_challenge("Bearer realm=\"/t\", Basic realm=\"x\"", LOGIN_BEARER, "/t", "", "", "in any order");
	is_challenge("Negotiate, Basic realm=\"x\"", LOGIN_BASIC, "x", "", "", "one that is not known is passed over");
	is_challenge("Bearer realm=\"a\\\"b\"", LOGIN_BEARER, "a\"b", "", "", "a quoted quote");
	is_challenge("Bearer service=\"s\"", LOGIN_NONE, "", "", "", "Bearer without a realm is none");
	is_challenge("Bearer realm=\"https://a/t", LOGIN_NONE, "", "", "", "a quote that is not closed");
	is_challenge("Bearer realm=\"a\tb\"", LOGIN_NONE, "", "", "", "a realm with a control character");
	is_challenge("", LOGIN_NONE, "", "", "", "nothing");
	is_challenge("=,;\"", LOGIN_NONE, "", "", "", "nonsense");
	str_puts(&longer, "Bearer realm=\"");
	while (longer.len < LOGIN_REALM_MAX + 20)
		str_puts(&longer, "https");
	str_puts(&longer, "\"");
	is_challenge(longer.buf, LOGIN_NONE, "", "", "", "a realm that is too long");
	login_challenge_add(&c, "Basic realm=\"x\"");
	login_challenge_add(&c, "Bearer realm=\"/t\"");
	is_int(c.kind, LOGIN_BEARER, "several headers count as one");
}

static void is_realm(const char *realm, const char *registry, const char *want, const char *title)
{
	cleanup_str struct str out = STR_INIT;
	bool good = login_realm(realm, registry, &out);

	is_str(good ? out.buf : "none", want, "%s", title);
}

static void test_realms(void)
{
	is_realm("https://auth.example/token", "https://r.example", "https://auth.example/token", "a realm is a URL");
	is_realm("/token", "https://r.example/prefix", "https://r.example:443/token", "or begins at the registry's root");
	is_realm("/token", "http://[::1]:5000", "http://[::1]:5000/token", "also at an IPv6 address");
	is_realm("//other/token", "https://r.example", "none", "another host without a scheme is none");
	is_realm("file:///etc/passwd", "https://r.example", "none", "nor is a file");
}

static void is_token(const char *body, const char *want, uint64_t seconds, const char *title)
{
	cleanup_str struct str token = STR_SECRET;
	uint64_t valid;
	bool good = login_token(body, strlen(body), &token, &valid);

	ok(good ? want && strcmp(token.buf, want) == 0 && valid == seconds : !want, "%s", title);
}

static void test_tokens(void)
{
	is_token("{\"token\":\"abc\",\"expires_in\":300}", "abc", 300, "a token");
	is_token("{\"access_token\":\"abc\"}", "abc", 60, "by its other name, and without a time");
	is_token("{\"token\":\"\",\"access_token\":\"x\",\"expires_in\":\"9\"}", "x", 60, "an empty one does not count, nor does a time that is a text");
	is_token("{\"token\":\"abc\",\"expires_in\":999999999}", "abc", 3600, "a long time is an hour");
	is_token("{\"token\":\"a\\r\\nX: y\"}", NULL, 0, "a token with a line break is none");
	is_token("{\"token\":\"a b\"}", NULL, 0, "nor is one with a blank");
	is_token("{\"token\":7}", NULL, 0, "or a number");
	is_token("[]", NULL, 0, "another kind of JSON has none");
	is_token("<html>", NULL, 0, "nor has what is no JSON");
}

int main(void)
{
	test_challenges();
	test_realms();
	test_tokens();
	return done_testing();
}
