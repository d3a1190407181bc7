/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_BASE_MEDIATYPE_H
#define BERTH_BASE_MEDIATYPE_H

/* mediatype: the types that a registry has to distinguish (image-spec media-types.md; Docker's image manifest v2.2). */

#include <stdbool.h>
#include <stddef.h>

#define MT_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MT_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MT_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define MT_DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define MT_DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define MT_DOCKER_SCHEMA1_SIGNED "application/vnd.docker.distribution.manifest.v1+prettyjws"

enum mediatype {
	MEDIATYPE_OTHER,
	MEDIATYPE_OCI_MANIFEST,
	MEDIATYPE_OCI_INDEX,
	MEDIATYPE_DOCKER_MANIFEST,
	MEDIATYPE_DOCKER_LIST,
};

/* mediatype_parse - one of the four, or MEDIATYPE_OTHER; ignores case, parameters after ';', and blanks around the type */
enum mediatype mediatype_parse(const char *s, size_t len);
const char *mediatype_text(enum mediatype t);           /* NULL for MEDIATYPE_OTHER */
bool mediatype_is_index(enum mediatype t);
bool mediatype_is_docker(enum mediatype t);

/* mediatype_nondistributable - whether a layer of this type may be missing from the registry (image-spec layer.md; Docker's foreign layers) */
bool mediatype_nondistributable(const char *s, size_t len);

#endif
