/* SPDX-License-Identifier: Apache-2.0 */
/* describe: what a manifest says of its subject. */

#include "registry/describe.h"

#include <string.h>

#include "tap.h"

#define D "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SUBJECT "\"subject\":{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D "\",\"size\":1}"

static struct str out = STR_INIT;

static int describe(const char *text)
{
	struct digest d, subject;
	int rc;

	digest_parse(&d, D, strlen(D));
	str_reset(&out);
	rc = manifest_describe(text, strlen(text), &d, &subject, &out);
	if (rc == 1 && !digest_eq(&d, &subject))
		return -1;
	return rc;
}

int main(void)
{
	static const char *const nothing[] = {
		"", "{}", "[]", "nothing", "{\"subject\":null}", "{\"subject\":1}", "{\"subject\":{}}", "{\"subject\":{\"digest\":1}}",
		"{\"subject\":{\"digest\":\"sha256:00\"}}", "{" SUBJECT "," SUBJECT "}", "{" SUBJECT, "{\"Subject\":{\"digest\":\"" D "\"}}",
	};
	size_t i;

	for (i = 0; i < sizeof(nothing) / sizeof(*nothing); i++)
		is_int(describe(nothing[i]), 0, "%s names no subject", nothing[i]);
	is_int(describe("{" SUBJECT "}"), 1, "a manifest names its subject");
	is_str(out.buf, "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"" D "\",\"size\":162}",
	       "its descriptor has type, digest and size");
	describe("{\"artifactType\":\"a/b\",\"config\":{\"mediaType\":\"c/d\"}," SUBJECT "}");
	ok(strstr(out.buf, "\"artifactType\":\"a/b\""), "its artifact type is its own");
	describe("{\"artifactType\":\"\",\"config\":{\"mediaType\":\"c/d\"}," SUBJECT "}");
	ok(strstr(out.buf, "\"artifactType\":\"c/d\""), "where that is empty, its config's");
	describe("{\"manifests\":[]," SUBJECT "}");
	ok(strstr(out.buf, "image.index") && !strstr(out.buf, "artifactType"), "an index without one has none");
	describe("{\"annotations\":{\"a\":\"b\\n\",\"c\":null,\"d\":\"\\u00e4\"}," SUBJECT "}");
	ok(strstr(out.buf, ",\"annotations\":{\"a\":\"b\\n\",\"d\":\"\xc3\xa4\"}}"), "annotations go along, those that are strings");
	describe("{\"artifactType\":\"\x7f\",\"annotations\":{\"\x7f\":\"\x7f\x7f\"}," SUBJECT "}");
	ok(strstr(out.buf, ",\"artifactType\":\"\x7f\",\"annotations\":{\"\x7f\":\"\x7f\x7f\"}}"), "no text gets longer on the way");
	describe("{\"annotations\":{}," SUBJECT "}");
	ok(!strstr(out.buf, "annotations"), "none where there are none");
	str_release(&out);
	return done_testing();
}
