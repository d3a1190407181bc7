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
#include "registry/registry.h"

struct stored_manifest {
	struct digest digest;   /* as asked for, or as the tag says */
	int fd;                 /* the bytes; owned */
	uint64_t size;
};

#define STORED_MANIFEST_INIT { .fd = -1 }

void stored_manifest_release(struct stored_manifest *m);
#define cleanup_stored_manifest __attribute__((cleanup(stored_manifest_release)))

/*
 * reg_manifest_find - look a manifest up by tag or digest
 * MANIFEST_UNKNOWN 404 where the repository lacks it, or where what lies there is larger than a manifest may be.
 */
int reg_manifest_find(struct registry *r, const struct name *n, const struct ref *ref, struct stored_manifest *out,
		      struct err *e);

/* reg_manifest_read - its bytes, and the Content-Type that follows from them */
int reg_manifest_read(const struct stored_manifest *m, struct str *bytes, struct str *type, struct err *e);

#define MANIFEST_TAGS_MAX 64

/* What a manifest is pushed as, and what came of it. */
struct manifest_push {
	struct ref ref;
	const char *content_type;       /* the header's text, or NULL */
	const struct str *bytes;
	struct precondition pre;
	struct tag *tags;               /* with a digest as ref: tags to point to it as well, all of them or none */
	size_t ntags;
	struct digest digest;           /* out: what it is stored under */
	bool has_subject;               /* out */
	struct digest subject;          /* out */
};

/*
 * reg_manifest_put - check, store and link a manifest, and point the tags to it; durable
 *
 * MANIFEST_INVALID 400; MANIFEST_BLOB_UNKNOWN 400 with one detail for each reference that the repository lacks;
 * DIGEST_INVALID 400 where ref is another digest than that of the bytes; DENIED 412 for a failed precondition.
 */
int reg_manifest_put(struct registry *r, const struct name *n, struct manifest_push *p, struct err *e);

/*
 * reg_manifest_delete - a manifest and every tag that points to it, or one tag alone; durable
 * MANIFEST_UNKNOWN 404; DENIED 412 for a failed precondition (tags only).
 */
int reg_manifest_delete(struct registry *r, const struct name *n, const struct ref *ref, const struct precondition *pre,
			struct err *e);

#endif
