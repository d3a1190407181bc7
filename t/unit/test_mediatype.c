/* SPDX-License-Identifier: Apache-2.0 */
/* mediatype: the types that a registry distinguishes. */

#include "base/mediatype.h"
#include "base/mem.h"
#include "tap.h"

static enum mediatype parse(const char *s)
{
	return mediatype_parse(s, strlen(s));
}

static bool nondist(const char *s)
{
	return mediatype_nondistributable(s, strlen(s));
}

static void test_parse(void)
{
	static const char *const other[] = {
		"", " ", ";", "application/json", "application/octet-stream", MT_DOCKER_SCHEMA1, MT_DOCKER_SCHEMA1_SIGNED,
		(MT_OCI_MANIFEST "x"), ("x" MT_OCI_MANIFEST), "application/vnd.oci.image.manifest.v2+json",
		"application/vnd.oci.image.manifest.v1+jso", "application/ vnd.oci.image.manifest.v1+json",
	};
	size_t i;

	is_int(parse(MT_OCI_MANIFEST), MEDIATYPE_OCI_MANIFEST, "OCI's image manifest is known");
	is_int(parse(MT_OCI_INDEX), MEDIATYPE_OCI_INDEX, "OCI's index is known");
	is_int(parse(MT_DOCKER_MANIFEST), MEDIATYPE_DOCKER_MANIFEST, "Docker's manifest is known");
	is_int(parse(MT_DOCKER_LIST), MEDIATYPE_DOCKER_LIST, "Docker's list is known");
	is_int(parse("Application/VND.oci.Image.INDEX.v1+JSON"), MEDIATYPE_OCI_INDEX, "case does not count");
	is_int(parse(MT_OCI_INDEX ";charset=utf-8"), MEDIATYPE_OCI_INDEX, "parameters do not count");
	is_int(parse(MT_OCI_INDEX " ; a=\"b;c\""), MEDIATYPE_OCI_INDEX, "nor does a blank before them");
	is_int(parse(" \t" MT_OCI_INDEX "\t "), MEDIATYPE_OCI_INDEX, "blanks around do not count");
	is_int(parse(MT_OCI_INDEX ";"), MEDIATYPE_OCI_INDEX, "an empty parameter does not count");
	is_int(mediatype_parse(MT_OCI_INDEX "\0x", sizeof(MT_OCI_INDEX) + 1), MEDIATYPE_OTHER, "a NUL does");
	for (i = 0; i < ARRAY_LEN(other); i++)
		is_int(parse(other[i]), MEDIATYPE_OTHER, "\"%s\" is another type", other[i]);
}

static void test_classes(void)
{
	int t;

	for (t = 1; t <= MEDIATYPE_DOCKER_LIST; t++)
		is_int(parse(mediatype_text((enum mediatype)t)), t, "%s is its own text",
		       mediatype_text((enum mediatype)t));
	ok(mediatype_text(MEDIATYPE_OTHER) == NULL, "another type has no text");
	ok(mediatype_is_index(MEDIATYPE_OCI_INDEX) && mediatype_is_index(MEDIATYPE_DOCKER_LIST), "indexes are indexes");
	ok(!mediatype_is_index(MEDIATYPE_OCI_MANIFEST) && !mediatype_is_index(MEDIATYPE_DOCKER_MANIFEST) &&
	   !mediatype_is_index(MEDIATYPE_OTHER), "other types are not");
	ok(mediatype_is_docker(MEDIATYPE_DOCKER_MANIFEST) && mediatype_is_docker(MEDIATYPE_DOCKER_LIST) &&
	   !mediatype_is_docker(MEDIATYPE_OCI_MANIFEST) && !mediatype_is_docker(MEDIATYPE_OCI_INDEX) &&
	   !mediatype_is_docker(MEDIATYPE_OTHER), "Docker's types are told from OCI's");
}

static void test_nondistributable(void)
{
	ok(nondist("application/vnd.oci.image.layer.nondistributable.v1.tar"), "a non-distributable layer is known");
	ok(nondist("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"), "so is one with gzip");
	ok(nondist("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"), "so is one with zstd");
	ok(nondist("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"), "so is Docker's foreign layer");
	ok(!nondist("application/vnd.oci.image.layer.v1.tar+gzip"), "an ordinary layer is none");
	ok(!nondist("application/vnd.docker.image.rootfs.diff.tar.gzip"), "Docker's ordinary layer is none");
	ok(!nondist("application/vnd.oci.image.layer.nondistributable.v1.tar+lz4"), "another compression is none");
	ok(!nondist(""), "nothing is none");
}

int main(void)
{
	test_parse();
	test_classes();
	test_nondistributable();
	return done_testing();
}
