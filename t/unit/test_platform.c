/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include <string.h>

#include "base/mem.h"
#include "base/platform.h"

int main(void)
{
	static const char *const good[] = { "linux/amd64", "linux/arm/v7", "windows/amd64", "a/b", "a.b_c-D/0" };
	static const char *const bad[] = { "", "linux", "linux/", "/amd64", "linux//v7", "a/b/c/d", "a/b/", "linux/amd 64", "linux/amd64\n", "lin\"ux/a" };
	static const struct {
		const char *json, *platform;
		bool is;
	} cases[] = {
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"}", "linux/amd64", true },
		{ "{\"architecture\":\"amd64\",\"os\":\"linux\",\"os.version\":\"1\"}", "linux/amd64", true },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"}", "linux/arm64", false },
		{ "{\"os\":\"linux\",\"architecture\":\"amd64\"}", "linux/amd64/v2", false },
		{ "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}", "linux/arm", true },
		{ "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}", "linux/arm/v7", true },
		{ "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":\"v7\"}", "linux/arm/v6", false },
		{ "{\"os\":\"unknown\",\"architecture\":\"unknown\"}", "linux/amd64", false },
		{ "{\"os\":\"linux\"}", "linux/amd64", false },
		{ "{\"os\":7,\"architecture\":\"amd64\"}", "linux/amd64", false },
		{ "[]", "linux/amd64", false },
		{ "null", "linux/amd64", false },
	};
	char long_one[200];

	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ok(platform_ok(good[i]), "%s is a platform", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(!platform_ok(bad[i]), "\"%s\" is none", i == 8 ? "with a newline" : bad[i]);
	memset(long_one, 'a', sizeof(long_one));
	long_one[5] = '/';
	long_one[128] = '\0';
	ok(!platform_ok(long_one), "nor is one of 128 bytes");
	long_one[127] = '\0';
	ok(platform_ok(long_one), "but one of 127 is");
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		ok(platform_is(json_view_of(cases[i].json, strlen(cases[i].json)), cases[i].platform) == cases[i].is, "%s is %s%s", cases[i].json,
		   cases[i].is ? "" : "not ", cases[i].platform);
	ok(!platform_is((struct json_view){ .kind = JSON_ABSENT }, "linux/amd64"), "what is absent is of no platform");
	return done_testing();
}
