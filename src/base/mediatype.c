/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mediatype: the media types that a registry treats differently.
 *
 * Owns their names. A media type is compared without regard to case and without its parameters (RFC 9110, 8.3.1).
 */

#include <string.h>
#include <strings.h>
#include "base/mediatype.h"
#include "base/mem.h"

static const char *const names[] = {
	[MEDIATYPE_OTHER] = NULL,
	[MEDIATYPE_OCI_MANIFEST] = MT_OCI_MANIFEST,
	[MEDIATYPE_OCI_INDEX] = MT_OCI_INDEX,
	[MEDIATYPE_DOCKER_MANIFEST] = MT_DOCKER_MANIFEST,
	[MEDIATYPE_DOCKER_LIST] = MT_DOCKER_LIST,
};

static const char *const nondistributable[] = {
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
};

static bool blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Whether the type in [s, s+len), without parameters and blanks, is `name`. */
static bool is_type(const char *s, size_t len, const char *name)
{
	const char *semi = len ? memchr(s, ';', len) : NULL;

	if (semi)
		len = (size_t)(semi - s);
	while (len && blank(s[0])) {
		s++;
		len--;
	}
	while (len && blank(s[len - 1]))
		len--;
	return len == strlen(name) && strncasecmp(s, name, len) == 0;
}

enum mediatype mediatype_parse(const char *s, size_t len)
{
	size_t i;

	for (i = 1; i < ARRAY_LEN(names); i++) {
		if (is_type(s, len, names[i]))
			return (enum mediatype)i;
	}
	return MEDIATYPE_OTHER;
}

const char *mediatype_text(enum mediatype t)
{
	return names[t];
}

bool mediatype_is_index(enum mediatype t)
{
	return t == MEDIATYPE_OCI_INDEX || t == MEDIATYPE_DOCKER_LIST;
}

bool mediatype_is_docker(enum mediatype t)
{
	return t == MEDIATYPE_DOCKER_MANIFEST || t == MEDIATYPE_DOCKER_LIST;
}

bool mediatype_nondistributable(const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < ARRAY_LEN(nondistributable); i++) {
		if (is_type(s, len, nondistributable[i]))
			return true;
	}
	return false;
}
