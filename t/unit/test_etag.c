/* SPDX-License-Identifier: Apache-2.0 */
/* etag: lists of entity tags. */

#include "base/etag.h"

#include <string.h>

#include "base/mem.h"
#include "tap.h"

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define OTHER "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_etag(void)
{
	static const char *const yes[] = {
		"\"" D "\"", D, "W/\"" D "\"", "W/" D, "*", " * ", " \"" D "\" ", "\"" OTHER "\", \"" D "\"",
		"\"" D "\",\"" OTHER "\"", OTHER ", " D, OTHER "," D, "W/\"x\" , W/\"" D "\"", ",, ,\"" D "\",",
		"\"a,b\", \"" D "\"", "\"\", \"" D "\"", "\"*\", " D, "\t" D "\t",
	};
	static const char *const no[] = {
		"", " ", ",", "\"\"", "\"" OTHER "\"", OTHER, "\"" D, D "\"", "\"" D "x\"", D "x", "x" D, "\"x" D "\"", "\"*\"", "**", "*x",
		"w/\"" D "\"", "W/", "W/\"\"", "\"a, " D "\"", "sha256:", "\" " D "\"", "\"" D "\"x", "*, \"x\"", "W/*",
		"SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "\"\"" D "\"\"",
	};
	struct digest d;
	size_t i;

	if (digest_parse(&d, D, strlen(D)) < 0)
		ok(false, "the test's digest is one");
	for (i = 0; i < ARRAY_LEN(yes); i++)
		ok(etag_matches(yes[i], &d), "the list %s names the digest", yes[i]);
	for (i = 0; i < ARRAY_LEN(no); i++)
		ok(!etag_matches(no[i], &d), "the list '%s' does not", no[i]);
	ok(!etag_matches(NULL, &d), "no header names nothing");
}

int main(void)
{
	test_etag();
	return done_testing();
}
