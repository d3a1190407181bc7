/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_MANIFEST_H
#define BERTH_REGISTRY_MANIFEST_H

/*
 * manifest: JSON -> what a registry has to know of a manifest (image-spec manifest.md, image-index.md, descriptor.md;
 * Docker's image manifest v2.2). It knows no disk: whether what a manifest names is there, others find out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/mediatype.h"
#include "base/str.h"

enum manifest_ref_kind {
	MREF_CONFIG,
	MREF_LAYER,
	MREF_CHILD_MANIFEST,    /* an entry of `manifests` with one of the four manifest types */
	MREF_CHILD_BLOB,        /* an entry of any other type: BuildKit's cache puts layers there */
};

struct descriptor {
	struct digest digest;
	uint64_t size;                  /* at most INT64_MAX */
	char *media_type;
	bool optional;                  /* a layer of a non-distributable type, or with urls: need not be here */
	enum manifest_ref_kind kind;
};

struct manifest {
	enum mediatype type;            /* never MEDIATYPE_OTHER after a successful parse */
	struct descriptor *refs;        /* config, layers, manifests, in this order; the subject is not one */
	size_t nrefs;
	bool has_subject;
	struct digest subject;
	char *artifact_type;            /* as the referrers list shows it: artifactType, else config.mediaType; NULL for none */
};

#define MANIFEST_INIT { .type = MEDIATYPE_OTHER }

/*
 * manifest_parse - check a manifest and take out what it names
 * content_type  the header it came with; NULL or empty: the mediaType inside decides
 *
 * Returns 0 with *m to be released, or -1 with *e MANIFEST_INVALID, its detail saying what is wrong where, and *m
 * empty. *m need not be initialised. Spec: "Pushing Manifests", end-7; api.md, "Manifests".
 */
int manifest_parse(struct manifest *m, const char *buf, size_t len, const char *content_type, struct err *e);

void manifest_release(struct manifest *m);
#define cleanup_manifest __attribute__((cleanup(manifest_release)))

/*
 * manifest_sniff - add to *type the Content-Type that follows from stored bytes
 *
 * The inner mediaType where it is one that may stand in a header; else index where there is `manifests`, else schema 1
 * where schemaVersion says so, else image manifest. Builds no tree, and takes any bytes: what another registry stored
 * is served, not judged.
 */
void manifest_sniff(struct str *type, const char *buf, size_t len);

#endif
