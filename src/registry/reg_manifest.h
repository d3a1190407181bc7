/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_MANIFEST_H
#define BERTH_REGISTRY_REG_MANIFEST_H

/* reg_manifest: manifests of a repository (distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting Manifests"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/manifest.h"
#include "registry/registry.h"

/* reg_manifest_may_lack - whether a manifest is accepted although this repository lacks the content (manifests.sparse) */
bool reg_manifest_may_lack(const struct registry *r, const struct descriptor *d);

#define MANIFEST_TAGS_MAX 64

/* A manifest to push, and the result. */
struct manifest_push {
	struct ref ref;
	const char *content_type;       /* the header's text, or NULL */
	const struct str *bytes;
	struct precondition pre;
	struct tag *tags;               /* borrowed; with a digest as ref: tags that are set to it */
	size_t ntags;
	struct digest digest;           /* out: the digest that it is stored under */
	bool has_subject;               /* out */
	struct digest subject;          /* out */
};

/*
 * reg_manifest_put - check, store and link a manifest, and set the tags to it; durable
 *
 * MANIFEST_INVALID 400; MANIFEST_BLOB_UNKNOWN 400 with one detail for each reference that the repository lacks;
 * DIGEST_INVALID 400 if ref is a digest and the bytes have another one; DENIED 412 for a failed precondition.
 */
int reg_manifest_put(struct registry *r, const struct name *n, struct manifest_push *p, struct err *e);

/*
 * reg_manifest_delete - delete a manifest and every tag that points to it, or one tag only; durable
 * MANIFEST_UNKNOWN 404; DENIED 412 for a failed precondition (tags only).
 */
int reg_manifest_delete(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre,
			struct err *e);

#endif
