/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_MANIFEST_H
#define BERTH_REGISTRY_MANIFEST_H

/*
 * manifest: the strict reader of manifests, for what is pushed (image-spec manifest.md, image-spec image-index.md,
 * image-spec descriptor.md; Docker's image manifest v2.2). It knows no disk: reg_manifest checks whether the referenced content exists. The lenient
 * reader, for stored bytes, is manifest_scan.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/mediatype.h"

enum manifest_ref_kind {
	MREF_CONFIG,
	MREF_LAYER,
	MREF_CHILD_MANIFEST,    /* an entry of `manifests` with one of the four manifest types */
	MREF_CHILD_BLOB,        /* an entry of any other type: BuildKit's cache puts layers there */
};

#define DESCRIPTOR_NO_SIZE UINT64_MAX

struct descriptor {
	struct digest digest;
	uint64_t size;                  /* at most INT64_MAX; from manifest_scan_descriptors() also DESCRIPTOR_NO_SIZE */
	char *media_type;               /* owned; NULL from manifest_scan_descriptors() */
	bool optional;                  /* a layer of a non-distributable type, or with urls: may be missing here */
	enum manifest_ref_kind kind;
};

struct manifest {
	enum mediatype type;            /* never MEDIATYPE_OTHER after a successful parse */
	struct descriptor *refs;        /* config, layers, manifests, in this order; not the subject */
	size_t nrefs;
	bool has_subject;
	struct digest subject;
	uint64_t subject_size;          /* that the manifest gives; 0 from manifest_scan_descriptors() */
	char *artifact_type;            /* as the referrers list shows it: artifactType, otherwise config.mediaType; NULL: none */
};

#define MANIFEST_INIT { .type = MEDIATYPE_OTHER }

/*
 * manifest_parse - check a manifest and extract its type and its references
 * content_type  the request's header; NULL or empty: the mediaType inside decides
 *
 * Returns 0 with *m to be released, or -1 with *e MANIFEST_INVALID and *m empty; the detail names the field and the fault.
 * *m need not be initialised. distribution-spec, "Pushing Manifests", end-7; doc/API.md, "Manifests".
 */
int manifest_parse(struct manifest *m, const char *buf, size_t len, const char *content_type, struct err *e);

void manifest_release(struct manifest *m);
#define cleanup_manifest __attribute__((cleanup(manifest_release)))

#endif
