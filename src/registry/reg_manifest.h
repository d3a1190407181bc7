/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BERTH_REGISTRY_REG_MANIFEST_H
#define BERTH_REGISTRY_REG_MANIFEST_H

/* reg_manifest: manifests of a repository (distribution-spec, "Pushing Manifests"). */

#include <stdbool.h>
#include <stdint.h>
#include "base/digest.h"
#include "base/err.h"
#include "base/ref.h"
#include "base/str.h"
#include "registry/manifest.h"
#include "registry/registry.h"
#include "store/journal.h"
#include "store/store.h"

/*
 * reg_manifest_may_lack - whether a manifest is accepted although its repository lacks the content
 * sparse  enum config_sparse: what rules_sparse() says of the repository
 */
bool reg_manifest_may_lack(int sparse, const struct descriptor *d);

/*
 * reg_manifest_flush_links - make the links of blobs and manifests durable that a manifest names, of these algorithms
 * A link that was found may be another worker's, which has not flushed it yet. The caller holds lock_collector.
 */
int reg_manifest_flush_links(struct registry *r, const struct name *n, const bool layers[DIGEST_ALG_COUNT],
			     const bool revisions[DIGEST_ALG_COUNT], struct err *e);

/*
 * reg_manifest_done - all of a push is written: give up both locks, make it durable, and mark its lines of the journal
 * held, lock  the store whose collector's lock is held, and the repository's lock: both given up in any case
 */
int reg_manifest_done(struct registry *r, const struct name *n, struct store **held, int *lock, const struct journal_entry *j, struct err *e);

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
 * In a repository that is a mirror, it may lack what it names, which is noted (store/mirror.h), a wrong size is only logged, and the journal
 * gets no line: nobody has pushed it.
 *
 * MANIFEST_INVALID 400; MANIFEST_BLOB_UNKNOWN 400 with one detail for each reference that the repository lacks;
 * DIGEST_INVALID 400 if ref is a digest and the bytes have another one; DENIED 412 for a failed precondition; what reg_rules_push()
 * refuses.
 */
int reg_manifest_put(struct registry *r, const struct name *n, struct manifest_push *p, struct err *e);

#endif
